"""What is missing is told in one line; mistakes of our own are not hidden."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bitexact_tests.conftest import REPOSITORY
from models.config import Config
from models.errors import ToolMissing, not_installed, one_line_errors
from models.weights import EncoderWeights


@pytest.mark.parametrize(("package", "command"), [
    ("amaranth", "rtl verilog --config {config} --output {folder}/encoder.v"),
    ("hls4ml", "hls convert --config {config} --weights {folder}/weights.npz --output {folder}/project"),
])
def test_missing_package_is_one_line(package: str, command: str, tmp_path: Path) -> None:
    EncoderWeights.random(Config.load("econ_t_5elink").encoder, 1).save(tmp_path / "weights.npz")
    words = command.format(config="configs/econ_t_5elink.yaml", folder=tmp_path).split()
    without = (f"import runpy, sys; sys.modules['{package}'] = None; sys.argv = sys.argv[1:]; "
               "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)")
    result = subprocess.run([sys.executable, "-c", without, *words], cwd=REPOSITORY, capture_output=True, text=True,
                            check=False)
    assert result.stderr == (f"error: package {package} is not installed: "
                             "pip install '.[training,data,rtl,search]'\n")
    assert result.returncode == 2 and [path.name for path in tmp_path.iterdir()] == ["weights.npz"]


def test_the_package_that_is_missing_is_named_not_the_one_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of uproot, which imports awkward, awkward is told where it alone is missing."""
    pytest.importorskip("uproot")
    from training.production.ntuple import open_tree

    for name in [name for name in sys.modules if name.split(".")[0] in ("uproot", "awkward")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "awkward", None)
    with pytest.raises(ToolMissing, match=r"^ntuples need the package awkward: pip install '\.\[data\]'$"):
        open_tree("n.root")


@pytest.mark.parametrize(("error", "message"), [
    (ModuleNotFoundError("No module named 'sklearn'", name="sklearn.ensemble"),
     "cats need the package scikit-learn: pip install '.[trigger]'"),
    (ImportError("libfoo.so: no such file", name="fastjet"),
     "cats need a package that cannot be imported: libfoo.so: no such file"),
])
def test_what_a_failed_import_lacks(error: ImportError, message: str) -> None:
    assert str(not_installed(error, "cats need", "trigger")) == message


def test_a_hint_is_the_end_of_its_message() -> None:
    """Behind its question mark nothing follows, in any message of any package."""
    calls = [line for package in ("models", "emulator", "hls", "rtl", "training")
             for path in (REPOSITORY / package).rglob("*.py") for line in path.read_text(encoding="utf-8").splitlines()
             if ("nearest(" in line and "def nearest" not in line and "InputError" in line) or "{nearest(" in line]
    assert len(calls) > 12
    assert not [line for line in calls if re.search(r"\{nearest\((?:[^{}()]|\([^()]*\))*\)\}(?!\"\)?$)", line)]


def test_missing_module_of_ours_is_a_mistake() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"hls\.nothing"), one_line_errors():
        importlib.import_module("hls.nothing")
