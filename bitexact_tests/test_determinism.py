"""The same seed gives the same files, bit for bit, on one thread and on two, and in any process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bitexact_tests.conftest import REPOSITORY

ARGUMENTS = ["train", "--config", "configs/econ_t_5elink.yaml", "--epochs", "1", "--n-modules", "1000",
             "--set", "data.source=toy", "--set", "training.augment.pool=1000"]


def test_files_do_not_depend_on_threads_or_process(tmp_path: Path) -> None:
    """A decoder of full size, so that matrix products are large enough to be shared out; all runs at the same time."""
    runs = {"one": ("1", "1"), "two": ("2", "1"), "other seed": ("2", "2")}
    started = {}
    for name, (threads, seed) in runs.items():
        environment = os.environ | {"TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": threads,
                                    "OMP_NUM_THREADS": threads, "PYTHONHASHSEED": str(len(started))}
        command = [sys.executable, "-m", "training", *ARGUMENTS, "--seed", seed, "--output", str(tmp_path / name)]
        started[name] = subprocess.Popen(command, cwd=REPOSITORY, env=environment, text=True,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for name, process in started.items():
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, f"{name}: {errors}"
    found = {name: {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in runs}
    assert {"weights.npz", "decoder.keras", "history.json", "test.csv"} <= set(found["one"])
    assert sorted(found["two"]) == sorted(found["one"])
    assert not [file for file in found["one"] if found["two"][file] != found["one"][file]]
    assert found["other seed"]["weights.npz"] != found["one"]["weights.npz"]
    assert found["other seed"]["test.csv"] == found["one"]["test.csv"]
