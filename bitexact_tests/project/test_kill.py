"""Jobs killed at random points: the next run ends as the undisturbed one, byte for byte; nothing partial is in sight.

`KILLS=50` spreads 50 kills over all jobs (`make kill-test`); without it each job that is not slow is killed once.
"""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from bitexact_tests.conftest import REPOSITORY, missing
from models.calq_io import write_calq
from models.config import Config
from models.weights import EncoderWeights
from training.production.toy import generate

CONFIG = REPOSITORY / "configs" / "econ_t_5elink.yaml"
KILLS = int(os.environ.get("KILLS", "0"))
# With a checkpoint after every epoch: there is one to continue from, however small the run.
_TRAIN = """
import sys
from models.config import Config
from training.fit.train import train
small = dict(epochs=15, decoder=dict(width=32), augment=dict(generated=0))
config = Config.load("econ_t_5elink").override(data=dict(files=[sys.argv[1]]), training=small)
train(config, sys.argv[2], checkpoint_seconds=0)
"""


@dataclass(frozen=True)
class Job:
    """A command that writes into the folder `{out}`; killed after this part of the time it takes or later."""

    command: tuple[str, ...]
    earliest: float = 0.0
    cold: bool = False
    """Whether it compiles into a cache of its own."""
    needs: str = ""
    """A package without which it cannot run."""
    slow: bool = False
    """Whether `make test` leaves it out."""


JOBS = {
    "train": Job(("-c", _TRAIN, "{data}/part_0.csv", "{out}/run"), 0.4, slow=True),
    "data": Job(("-m", "training", "data", "double", "{data}", "--output", "{out}/doubled", "--format", "csv"), 0.2),
    "report": Job(("-m", "training", "report", "--config", str(CONFIG), "--run", "{out}", "--json",
                   "{out}/report.json"), 0.2),
    "csim": Job(("-m", "hls", "csim", "--config", str(CONFIG), "--weights", "{data}/weights.npz", "--input",
                 "{data}/part_0.csv", "--output", "{out}/latent.csv"), 0.2),
    "csim_cold": Job(("-m", "hls", "csim", "--config", str(CONFIG), "--weights", "{data}/weights.npz", "--input",
                      "{data}/part_0.csv", "--output", "{out}/latent.csv"), 0.1, cold=True, slow=True),
    "rtl_sim": Job(("-m", "rtl", "sim", "--config", "{data}/small.yaml", "--weights", "{data}/small.npz", "--input",
                    "{data}/part_0.csv", "--output", "{out}/latent.csv", "--build", "{out}/.build"), 0.2,
                   needs="verilator", slow=True),
    "rtl_synth": Job(("-m", "rtl", "synth", "--config", "{data}/small.yaml", "--technology", "gates", "--netlists",
                      "{out}/netlists", "--output", "{out}/gates.json"), 0.2, needs="pyosys", slow=True),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four files of charges, weights, and an encoder with two filters and three outputs for the slow tools."""
    folder = tmp_path_factory.mktemp("data")
    for part in range(4):
        write_calq(folder / f"part_{part}.csv", generate(500, part))
    EncoderWeights.random(Config.load(CONFIG).encoder, 1).save(folder / "weights.npz")
    text = CONFIG.read_text(encoding="utf-8").replace("  conv:", "  conv:\n    filters: 2")
    (folder / "small.yaml").write_text(text.replace("  dense:", "  dense:\n    outputs: 3"), encoding="utf-8")
    EncoderWeights.random(Config.load(folder / "small.yaml").encoder, 1).save(folder / "small.npz")
    return folder


def start(job: Job, data: Path, out: Path) -> subprocess.Popen[str]:
    command = [part.format(data=data, out=out) for part in job.command]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "0"} | ({"ECON_T_CACHE": str(out / ".cache")} if job.cold else {})
    return subprocess.Popen([sys.executable, *command], cwd=REPOSITORY, env=environment, text=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def finish(job: Job, data: Path, out: Path) -> float:
    """Run a job to its end; the seconds it took."""
    began = time.monotonic()
    process = start(job, data, out)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return time.monotonic() - began


def kill(job: Job, data: Path, out: Path, seconds: float) -> bool:
    """Kill a job and all its children after a time; False if it was done before."""
    process = start(job, data, out)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    return False


def content(out: Path) -> dict[str, bytes]:
    """All files that are in sight, without the folder's name and the time it took: a killed writer's are hidden."""
    return {str(path.relative_to(out)): re.sub(rb'"seconds": \d+', b"{seconds}",
                                               path.read_bytes().replace(str(out).encode(), b"{out}"))
            for path in sorted(out.rglob("*"))
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(out).parts)}


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] if job.slow else []) for name, job in JOBS.items()])
def test_killed_job_ends_as_an_undisturbed_one(
    name: str, data: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    job = JOBS[name]
    if "csim" in name:
        request.getfixturevalue("gxx")
    if job.needs and importlib.util.find_spec(job.needs) is None:
        missing(f"package {job.needs} is not installed")
    initial = tmp_path / "initial"
    initial.mkdir()
    if name == "report":
        (initial / "history.json").write_text('{"loss": [2.0, 1.0], "val_loss": [2.0, 1.5], "val_emd": [2.0, 1.5]}')
        (initial / "weights.npz").write_bytes((data / "weights.npz").read_bytes())
    undisturbed = copytree(initial, tmp_path / "undisturbed")
    if name == "csim":
        finish(job, data, copytree(initial, tmp_path / "warm"))  # the compiler is not what this job is about
    seconds = finish(job, data, undisturbed)
    expected = content(undisturbed)
    rng = np.random.default_rng(list(name.encode()))
    wanted = -(-KILLS // len(JOBS)) if KILLS else 1
    n_killed = n_tries = 0
    while n_killed < wanted:
        n_tries += 1
        assert n_tries < 20 * wanted, f"{name} is done before it can be killed: takes {seconds:.1f} s"
        out = copytree(initial, tmp_path / f"killed_{n_tries}")
        if not kill(job, data, out, seconds * rng.uniform(job.earliest, 0.95)):
            seconds *= 0.9  # the machine has less to do than when the time was taken
            continue
        n_killed += 1
        partial = [path for path, held in content(out).items()
                   if held != expected.get(path) and not path.endswith("checkpoint.npz")]
        assert not partial, f"{name}: not as in the undisturbed run: {partial}"
        finish(job, data, out)
        found = content(out)
        assert sorted(found) == sorted(expected)
        assert not [path for path in found if found[path] != expected[path]]
    sys.stderr.write(f"{name}: {n_killed} kills of a job of {seconds:.1f} s\n")
