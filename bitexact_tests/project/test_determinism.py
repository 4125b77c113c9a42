"""The same seed gives the same files, bit for bit, on one processor and on all, and in any process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bitexact_tests.conftest import REPOSITORY

ARGUMENTS = ["train", "--config", "configs/econ_t_5elink.yaml", "--epochs", "1", "--n-modules", "1000",
             "--set", "data.source=toy", "--set", "training.augment.pool=1000"]


@pytest.mark.skipif(sys.platform != "linux", reason="processors are chosen by taskset")
def test_files_do_not_depend_on_processors_or_process(tmp_path: Path) -> None:
    """A decoder of full size, so that matrix products are large enough to be shared out; all runs at the same time."""
    there = sorted(os.sched_getaffinity(0))
    runs = {"one": (there[:1], "1"), "all": (there, "1"), "other seed": (there, "2")}
    started = {}
    for name, (processors, seed) in runs.items():
        number = str(len(processors))
        environment = os.environ | {"TF_NUM_INTEROP_THREADS": number, "OMP_NUM_THREADS": number,
                                    "PYTHONHASHSEED": str(len(started))}
        environment.pop("TF_NUM_INTRAOP_THREADS", None)
        command = [sys.executable, "-m", "training", *ARGUMENTS, "--seed", seed, "--output", str(tmp_path / name)]
        command = ["taskset", "--cpu-list", ",".join(map(str, processors)), *command]
        started[name] = subprocess.Popen(command, cwd=REPOSITORY, env=environment, text=True,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for name, process in started.items():
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, f"{name}: {errors}"
    found = {name: {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in runs}
    assert {"weights.npz", "decoder.npz", "history.json", "test.csv"} <= set(found["one"])
    assert sorted(found["all"]) == sorted(found["one"])
    assert not [file for file in found["one"] if found["all"][file] != found["one"][file]]
    assert found["other seed"]["weights.npz"] != found["one"]["weights.npz"]
    assert found["other seed"]["test.csv"] == found["one"]["test.csv"]
