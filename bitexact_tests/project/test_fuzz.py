"""Broken and hostile files: every reader gives a result or one line that names the file, in little memory."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.fuzz.hostile import HOSTILE
from bitexact_tests.fuzz.readers import catalogue
from models.config import Config
from models.errors import InputError

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
MOST_MB = 48  # the hostile files claim or unpack to 64 MB and more


@pytest.mark.parametrize("name", catalogue())
@settings(max_examples=EXAMPLES, derandomize=True, database=None, deadline=None,
          suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_changed_file_is_read_or_refused(name: str, data: st.DataObject) -> None:
    reader = catalogue()[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"changed{reader.suffix}"
        if reader.mutate(path, lambda n: data.draw(st.integers(0, n - 1))):
            reader.check(path)


@pytest.mark.parametrize("name", catalogue())
def test_good_file_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"good{catalogue()[name].suffix}"
    path.write_bytes(catalogue()[name].good)
    assert catalogue()[name].check(path)


def test_hostile_files_take_little_memory(tmp_path: Path) -> None:
    """In a process of its own: the peak of this one may be that of an older test."""
    command = [sys.executable, "-m", "bitexact_tests.fuzz.hostile", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY, timeout=300)
    assert not result.returncode, result.stderr
    found = json.loads(result.stdout)
    assert set(found) == set(HOSTILE)
    assert not {name for name, (good, _) in found.items() if good}
    assert not {name: mb for name, (_, mb) in found.items() if mb > MOST_MB}


def _decoder_file(path: Path, **size: Any) -> Path:
    """A decoder with 316 weights: those of 16 latents, one layer of 4 and the module sum. `size`: other claims."""
    claimed = {"latents": 16, "width": 4, "layers": 1, "sees_sum": True, "members": 1} | size
    with path.open("wb") as file:
        np.savez(file, size=np.array(json.dumps(claimed)), weights=np.zeros(18 * 4 + 4 + 4 * 48 + 48, np.float32))
    return path


@pytest.mark.parametrize(("size", "expected"), [
    ({"width": 8192, "layers": 16, "members": 64}, "316 weights, expected 64(,[0-9]{3}){3} of a decoder"),
    ({"width": 5}, "316 weights, expected 383 of a decoder"),
    ({"sees_sum": False}, "316 weights, expected 308 of a decoder"),
    ({"width": 1 << 40}, "not readable as the size of a decoder: .*width"),
    ({"width": "4"}, "not readable as the size of a decoder: .*width"),
    ({"members": 0}, "not readable as the size of a decoder: .*members"),
    ({"activation": "os.system"}, "not readable as the size of a decoder: .*activation"),
    ({"latents": 8}, "decoder of 8 latents, expected 16"),
    ({"latents": None}, "decoder of None latents, expected 16"),
])
def test_decoder_of_another_size_is_refused_before_it_is_built(
    size: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    from training.networks.decoding import load_decoder

    spec = Config.load(REPOSITORY / "configs" / "econ_t_5elink.yaml").encoder
    good = _decoder_file(tmp_path / "good.npz")
    assert load_decoder(good, spec).count_params() == 316
    with pytest.raises(InputError, match=expected):
        load_decoder(_decoder_file(tmp_path / "bad.npz", **size), spec)
    for content in (b"", good.read_bytes()[:-30], good.read_bytes()[:900], b"PK\x05\x06" + bytes(18)):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.npz"):
            load_decoder(tmp_path / "bad.npz", spec)


SOURCES = sorted(path for package in ("models", "emulator", "hls", "rtl", "training")
                 for path in (REPOSITORY / package).rglob("*.py"))
_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
_CALLS = {"os.system", "os.popen", "os.spawnl", "yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load",
          "eval", "exec", "subprocess.getoutput", "subprocess.getstatusoutput"}


def unsafe(tree: ast.AST) -> list[str]:
    """What runs code or a shell out of data: `line: what`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [f"{node.lineno}: import {name}" for name in names if name.split(".")[0] in _MODULES]
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            wrong = (name in _CALLS or options.get("shell") not in (None, "False")
                     or options.get("allow_pickle") not in (None, "False") or options.get("safe_mode") == "False"
                     or (name == "np.load" and "allow_pickle" not in options)
                     or (name.startswith("subprocess.") and node.args
                         and isinstance(node.args[0], ast.JoinedStr | ast.Constant)))
            found += [f"{node.lineno}: {name}"] * wrong
    return found


def test_no_code_and_no_shell_out_of_data() -> None:
    bad = {str(path.relative_to(REPOSITORY)): lines for path in SOURCES
           if (lines := unsafe(ast.parse(path.read_text(encoding="utf-8"))))}
    assert not bad


@pytest.mark.parametrize("line", [
    "import pickle", "from joblib import load", "yaml.load(text)", "os.system(name)", "np.load(path)",
    "np.load(path, allow_pickle=True)", "subprocess.run(f'g++ {name}')", "subprocess.run(command, shell=True)",
    "load_model(path, safe_mode=False)", "eval(text)",
])  # fmt: skip
def test_unsafe_lines_are_found(line: str) -> None:
    assert unsafe(ast.parse(line))


@pytest.mark.parametrize("name", ["weights", "calq_csv", "erx", "config"])
def test_failure_writes_nothing(name: str, tmp_path: Path) -> None:
    """A command that refuses its input leaves neither a file nor a part of one."""
    reader = catalogue()[name]
    paths = {kind: tmp_path / f"{kind}{catalogue()[kind].suffix}" for kind in ("weights", "calq_csv", "config")}
    for kind, path in paths.items():
        path.write_bytes(catalogue()[kind].good)
    output = tmp_path / "out" / "latent.csv"
    command = ["encode", "--config", str(paths["config"]), "--weights", str(paths["weights"]),
               "--input", str(paths["calq_csv"])]
    if name == "erx":
        paths |= {"erx": tmp_path / "erx.csv", "registers": tmp_path / "registers.yaml"}
        paths["registers"].write_bytes(catalogue()["registers"].good)
        command = ["chip", "--registers", str(paths["registers"]), "--input", str(paths["erx"])]
    paths[name].write_bytes(reader.good[: len(reader.good) - 5])
    result = subprocess.run([sys.executable, "-m", "emulator", *command, "--output", str(output)], cwd=REPOSITORY,
                            capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 2, result.stderr
    assert result.stderr.count("\n") == 1 and str(paths[name]) in result.stderr
    assert not output.parent.exists() or not list(output.parent.iterdir())
