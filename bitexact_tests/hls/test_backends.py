"""Scripts of the backends, and the tools that `make` runs with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bitexact_tests.conftest import CONFIGS, REPOSITORY
from bitexact_tests.samples.vendor_reports import CONFIG, CONFIG_FILE, project, write
from hls.backends import BACKENDS
from models.config import Config


def _tool(folder: Path, name: str, log: Path, status: int = 0) -> None:
    """A stand-in that notes how it was called, if the last word is a file where it was called."""
    program = write(folder / name, f'#!/bin/sh\nfor file; do :; done\n'
                                   f'test -f "$file" && echo "{name} $*" >> {log}\nexit {status}\n')
    program.chmod(0o755)


@pytest.mark.parametrize("status", [0, 3])
def test_make_runs_the_tools_that_are_there_and_fails_for_those_that_are_not(tmp_path: Path, status: int) -> None:
    """`make hls-synth` for both backends: Vitis and Vivado are there, Catapult is not."""
    run, log, bin_folder = tmp_path / "run", tmp_path / "log", tmp_path / "bin"
    for backend in BACKENDS.values():
        for name, text in backend.scripts(CONFIG).items():
            assert "@" not in text
            write(project(run / f"hls_{backend.name}", backend.name) / name, text)
    _tool(bin_folder, "vitis-run", log, status)
    _tool(bin_folder, "vivado", log)
    make = ["make", "--no-print-directory", "-o", ".venv/ready", "hls-synth", f"CONFIG={CONFIG_FILE}", f"RUN={run}",
            f"PYTHON={sys.executable}"]
    done = subprocess.run(make, cwd=REPOSITORY, capture_output=True, text=True, check=False,
                          env={"PATH": f"{bin_folder}:/usr/bin:/bin"})
    assert done.returncode == 2
    assert "synthesis with catapult not run: catapult not found" in done.stderr
    calls = ["vitis-run --mode hls --tcl vitis.tcl", "vivado -mode batch -source vivado.tcl"]
    assert log.read_text().splitlines() == (calls if status == 0 else calls[:1])


def test_every_configuration_has_its_scripts() -> None:
    for path in CONFIGS:
        config = Config.load(path)
        scripts = {name: text for backend in BACKENDS.values() for name, text in backend.scripts(config).items()}
        assert set(scripts) == {"vitis.tcl", "vivado.tcl", "catapult.tcl"}
        for name in ("vitis.tcl", "vivado.tcl"):
            assert config.hls.part in scripts[name] and f"-period {config.hls.clock_period_ns:g} " in scripts[name]
