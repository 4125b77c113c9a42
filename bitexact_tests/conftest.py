"""Shared fixtures. `REQUIRE_TOOLS=1` (set in CI) turns a missing tool or data folder from a skip into a failure."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from models.config import Config

# Whichever test imports TensorFlow first must find what models/qkeras_setup.py sets.
os.environ["TF_USE_LEGACY_KERAS"] = "1"

# No test is timed: a busy machine is no failure.
settings.register_profile("untimed", parent=settings.default, deadline=None)
settings.load_profile("untimed")
# For `econ-t faults`: any example that fails will do, the same in each run.
settings.register_profile("first_failure", deadline=None, phases=[Phase.explicit, Phase.generate], derandomize=True,
                          database=None)

REPOSITORY = Path(__file__).parent.parent
CONFIGS = sorted((REPOSITORY / "configs").glob("*.yaml"))
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
"""Published data that is not part of the project; see CONTRIBUTING.md."""


def missing(reason: str) -> None:
    """Skip the test, or fail it where tools are required."""
    if os.environ.get("REQUIRE_TOOLS") == "1":
        pytest.fail(f"REQUIRE_TOOLS=1: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def _compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache of compiled C++, new and shared by all processes of this run of pytest, unless one is given."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECON_T_CACHE", os.environ.get("ECON_T_CACHE") or str(shared / "econ_t_cache"))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of published data and test vectors beside the project."""
    if not SHARED_DATA.is_dir():
        missing("no folder ../shared/data beside the project: published vectors are not part of it")
    return SHARED_DATA


@pytest.fixture(scope="session")
def gxx() -> str:
    """The C++ compiler."""
    found = shutil.which("g++")
    if found is None:
        missing("g++ not found")
    assert found is not None
    return found


@pytest.fixture(scope="session")
def pythia_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that keeps collisions, for all tests: the start of Pythia takes seconds."""
    for package in ("pythia8mc", "awkward"):
        if importlib.util.find_spec(package) is None:
            missing(f"package {package} is not installed")
    return tmp_path_factory.mktemp("pythia")


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def config(request: pytest.FixtureRequest) -> Config:
    """Every configuration of the project in turn."""
    return Config.load(request.param)
