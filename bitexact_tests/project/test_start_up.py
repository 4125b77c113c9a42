"""Nobody waits for a library that a command does not use: TensorFlow alone takes four seconds to start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bitexact_tests.conftest import REPOSITORY
from models.calq_io import write_calq
from training.production.toy import generate

TENSORFLOW = {"tensorflow", "keras", "qkeras"}
SLOW = TENSORFLOW | {"pandas", "scipy", "matplotlib", "amaranth", "jinja2", "vl_convert", "sklearn", "hls4ml"}
WITHOUT = """
import sys


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in %r:
            raise RuntimeError(name)


sys.meta_path.insert(0, Refuse())
"""
EVERY_COMMAND = """
import json
from typer.main import get_command
from models.command_line import LazyGroup, econ_t


def load(group, words):
    for name in group.table:
        try:
            command = group.load(name)
        except Exception as error:
            starts.append(f"{' '.join([*words, name])} starts {error}")
            continue
        if isinstance(command, LazyGroup):
            load(command, [*words, name])
        else:
            found.append(" ".join([*words, name]))


starts, found = [], []
load(get_command(econ_t()), [])
print(json.dumps([starts, found]))
"""
CALL = """
import sys
from models.command_line import econ_t
try:
    econ_t()(%r, prog_name="econ-t")
except SystemExit as end:
    assert not end.code, end.code
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
SCIENCE = SLOW | {"pyarrow"}


def python(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_help_of_no_command_starts_a_slow_library() -> None:
    starts, found = json.loads(python(WITHOUT % sorted(SLOW) + EVERY_COMMAND))
    assert starts == []
    assert len(found) > 40 and {"train", "seu", "hybrid", "emd-loss", "weights make"} < set(found)


@pytest.mark.parametrize(("arguments", "unused"), [
    (["--help"], SCIENCE | {"numpy", "pydantic"}), (["--version"], SCIENCE | {"numpy", "pydantic"}),
    (["chip", "--help"], SCIENCE), (["chip", "decode", "--help"], SCIENCE)],
    ids=["econ-t", "version", "chip", "chip-decode"])  # sets have another order in each process of pytest
def test_what_a_command_does_not_use(arguments: list[str], unused: set[str]) -> None:
    imported = set(python(CALL % arguments).splitlines()[-1].split())
    assert "models" in imported and not imported & unused


@pytest.mark.parametrize("arguments", [
    ["flops", "--config", "econ_t_5elink"], ["networks"], ["weights", "list"], ["trigger", "systems"],
    ["size", "--run", "econ_t_5elink"]], ids=str)
def test_what_neither_trains_nor_decodes_does_without_tensorflow(arguments: list[str]) -> None:
    python(WITHOUT % sorted(TENSORFLOW) + CALL % arguments)


CALQ = "calq.csv"


@pytest.mark.parametrize(("arguments", "error"), [
    (["train", "--config", "none"], "none: no such file and no configuration of this name"),
    (["train", "--config", "econ_t_5elink", "--data", "none.csv"], "none.csv: No such file or directory"),
    (["train", "--config", "econ_t_5elink", "--start", "none"], "none: no such folder and no shipped set"),
    (["train", "--models", "none"], "unknown network 'none'"),
    (["train", "--models", "dense_d32_tele", "--data", "none.csv"], "none.csv: No such file or directory"),
    (["hybrid", "--config", "none"], "none: no such file and no configuration of this name"),
    (["distill", "--run", "none"], "none: no such folder and no shipped set"),
    (["seu", "--run", "none"], "none: no such folder and no shipped set"),
    (["export", "--run", "none"], "none: no such folder and no shipped set"),
    (["compare", "--run", "none"], "none: no such folder and no shipped set"),
    (["evaluate", "--weights", "none", "--input", CALQ], "none: no such file and no shipped set"),
    (["audit", "--encoder", "none.h5", "--config", "none", "--input", CALQ], "none: no such file and no config"),
], ids=lambda value: "-".join(value[:3]) if isinstance(value, list) else "")
def test_what_is_missing_is_told_without_tensorflow(arguments: list[str], error: str, tmp_path: Path) -> None:
    """A name that is mistyped is told at once, not after the seconds that TensorFlow takes to start."""
    write_calq(tmp_path / CALQ, generate(20, 1))
    done = subprocess.run([sys.executable, "-c", WITHOUT % sorted(TENSORFLOW) + CALL % arguments], cwd=tmp_path,
                          env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, check=False)
    assert f"error: {error}" in done.stderr and "AssertionError: 2" in done.stderr, done.stderr


def test_a_compact_decoder_is_integers(tmp_path: Path) -> None:
    write_calq(tmp_path / CALQ, generate(20, 1))
    command = ["evaluate", "--weights", "econ_t_2elink", "--input", str(tmp_path / CALQ),
               "--decoder", "econ_t_2elink/compact_3k.npz"]
    assert "tensorflow" not in python(WITHOUT % sorted(TENSORFLOW) + CALL % command).splitlines()[-1].split()


def test_the_emd_starts_nothing_for_the_other_algorithms_of_pot() -> None:
    said = python("import sys\nfrom training import emd\nemd([[1] * 48], [[2] * 48])\n"
                  "print(*{'ot', 'sklearn', 'networkx', 'tensorflow'} & sys.modules.keys())\nimport sklearn, networkx")
    assert said.split() == ["ot"]
