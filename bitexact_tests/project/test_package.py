"""What is built from a clone is whole: a wheel whose commands work anywhere, a source archive with all and no more."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import models
from bitexact_tests.conftest import REPOSITORY
from models.calq_io import write_calq
from models.command_line import main
from models.config import Config
from models.weights import EncoderWeights

PACKAGES = ("models", "emulator", "hls", "rtl", "training", "configs")
NOT_IN_A_CLONE = shutil.ignore_patterns(".*", "runs", "build", "site", "__pycache__", "*.egg-info")
BUILD = ("import sys; from setuptools import build_meta; output = sys.argv[1]; "
         "build_meta.build_sdist(output); build_meta.build_wheel(output)")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the unpacked wheel and source archive."""
    folder = tmp_path_factory.mktemp("built")
    clone, output = folder / "clone", folder / "output"
    shutil.copytree(REPOSITORY, clone, ignore=NOT_IN_A_CLONE)
    (clone / ".ci").mkdir()
    shutil.copy(REPOSITORY / ".ci" / "run", clone / ".ci")
    (clone / "runs").mkdir()
    (clone / "runs" / "not_ours.csv").write_text("0\n")
    output.mkdir()
    subprocess.run([sys.executable, "-c", BUILD, str(output)], cwd=clone, check=True, capture_output=True)
    zipfile.ZipFile(next(output.glob("*.whl"))).extractall(folder / "wheel")
    with tarfile.open(next(output.glob("*.tar.gz"))) as archive:
        archive.extractall(folder / "sdist", filter="data")
    return folder


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts}


def test_the_lock_is_of_all_extras_but_the_one_that_says_so() -> None:
    """UMAP brings a compiler."""
    makefile, project = ((REPOSITORY / name).read_text(encoding="utf-8") for name in ("Makefile", "pyproject.toml"))
    locked = next(line.partition("=")[2].split() for line in makefile.splitlines() if line.startswith("EXTRAS "))
    section = project.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    assert set(re.findall(r"^(\w+) = \[", section, re.MULTILINE)) == {*locked, "umap"}


def test_wheel_holds_every_file_of_the_packages(built: Path) -> None:
    ours = {f"{package}/{name}" for package in PACKAGES for name in files(REPOSITORY / package)}
    assert ours - files(built / "wheel") == set()


def test_source_archive_is_whole_and_clean(built: Path) -> None:
    found = files(next((built / "sdist").iterdir()))
    made = {name for name in found if ".egg-info" in name or name in ("PKG-INFO", "setup.cfg")}
    own = "bitexact_tests/project/test_package.py"
    assert {"Makefile", "requirements.lock", ".ci/run", "docs/chip.md", own} <= found
    assert found - made <= files(built / "clone") and not any(name.startswith("runs/") for name in found)


def test_wheel_installs_econ_t(built: Path) -> None:
    (found,) = metadata.distributions(path=[str(built / "wheel")])
    assert found.version == models.__version__
    (script,) = found.entry_points.select(group="console_scripts")
    assert script.name == "econ-t" and script.load() is main


def test_commands_work_from_the_wheel_alone(built: Path, tmp_path: Path) -> None:
    spec = Config.load("econ_t_3elink").encoder
    zero = EncoderWeights(spec, **{name: np.zeros(shape, np.int64) for name, shape in spec.weight_shapes.items()})
    zero.save(tmp_path / "weights.npz")
    write_calq(tmp_path / "calq.csv", np.ones((3, 48), np.int64), "tc")
    environment = os.environ | {"PYTHONPATH": str(built / "wheel")}

    def run(*arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], cwd=tmp_path, env=environment, check=True)

    run("-c", "from models.command_line import main; main()", "encode", "--config", "econ_t_3elink", "--weights",
        "weights.npz", "--input", "calq.csv", "--output", "latent.csv")
    run("-m", "training", "train", "--nELinks", "3", "--output", "run", "--epoch", "1", "--n-modules", "40",
        "--set", "data.source=toy", "--set", "training.augment.pool=50")
    run("-m", "models", "registers", "--config", "econ_t_3elink", "--weights", "weights.npz", "--output", "init.yaml")
    assert len((tmp_path / "latent.csv").read_text().splitlines()) == 4 and (tmp_path / "init.yaml").stat().st_size
    assert Config.load(tmp_path / "run" / "config.yaml").encoder == spec
