"""The main job of the Makefile: its steps in order whatever -j says, options and paths as they were given."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from bitexact_tests.conftest import REPOSITORY

# In place of Python: notes when a command starts and ends.
_FAKE = """#!{python}
import json, sys, time
def note(*what):
    with open({log!r}, "a") as log:
        log.write(json.dumps(what) + "\\n")
note("starts", *sys.argv[1:])
time.sleep(0.2)
note("ends", *sys.argv[1:])
"""


def make(folder: Path, *arguments: str) -> tuple[list[list[str]], str]:
    """What the commands of `make` were given, after `starts` and `ends`, in the order in which they did; and stdout."""
    fake, log, ready = folder / "python", folder / "log", folder / "ready"
    fake.write_text(_FAKE.format(python=sys.executable, log=str(log)))
    fake.chmod(0o755)
    ready.touch()
    # `make test ARGS=...` hands its own variables on.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "ARGS"}
    done = subprocess.run(["make", f"PYTHON={fake}", f"READY={ready}", *arguments], cwd=REPOSITORY, env=environment,
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in log.read_text().splitlines()], done.stdout


def run(folder: Path, *arguments: str) -> list[list[str]]:
    """What the commands were given alone."""
    return make(folder, *arguments)[0]


@pytest.mark.parametrize("jobs", ["-j1", "-j4"])
def test_steps_follow_one_another(tmp_path: Path, jobs: str) -> None:
    notes = run(tmp_path, jobs, f"RUN={tmp_path}/run")
    assert [note[1:4] for note in notes if note[0] == "starts"] == [
        ["-m", "training", "train"], ["-m", "hls", "convert"],
        ["-m", "bitexact_tests", "compare"], ["-m", "training", "evaluate"], ["-m", "training", "compare"],
        ["-m", "training", "distill"], ["-m", "training", "size"], ["-m", "training", "report"]]
    assert [note[0] for note in notes] == ["starts", "ends"] * 8
    assert all(start[1:] == end[1:] for start, end in zip(notes[::2], notes[1::2], strict=True))


def test_every_budget_on_the_same_modules(tmp_path: Path) -> None:
    notes = [note[1:] for note in run(tmp_path, "-j4", "BUDGETS=2 5", "ARGS=--epochs 3") if note[0] == "starts"]
    one = ["train", "convert", "compare", "evaluate"]
    assert [note[2] for note in notes] == [*one, *one, "compare", "distill", "size", "report"]
    for links, train in zip((2, 5), (notes[0], notes[4]), strict=True):
        assert train[3:] == ["--config", f"configs/econ_t_{links}elink.yaml", "--output", f"runs/econ_t_{links}elink",
                             "--set", "data.layers=[5,7,9,11,13]", "--epochs", "3"]
    for last in notes[-4:]:
        assert "runs/econ_t_5elink" in last and last[-2:] != ["--epochs", "3"]
    given = notes[-4]
    assert [run for word, run in pairwise(given) if word == "--run"] == ["runs/econ_t_2elink", "runs/econ_t_5elink"]
    assert given[given.index("--input") + 1] == "runs/econ_t_5elink/test.csv"


@pytest.mark.parametrize(("arguments", "folder"), [(["BUDGETS=2 4"], "runs/econ_t_4elink"),
                                                   (["RUN={}/it's mine"], "{}/it's mine")])
def test_the_main_job_ends_with_the_next_command(tmp_path: Path, arguments: list[str], folder: str) -> None:
    """Behind the two lines of the report: its verdict and its path."""
    notes, printed = make(tmp_path, *(one.format(tmp_path) for one in arguments))
    assert notes[-1][3] == "report"
    *_, before, last = printed.splitlines()
    assert " -m training report " in before, "the report has the words before"
    title, _, command = last.partition(": ")
    assert title == "Next, one module on its way"
    assert shlex.split(command) == [".venv/bin/econ-t", "show", "--run", folder.format(tmp_path), "--row", "17",
                                    "--algorithm", "all"]


@pytest.mark.parametrize("which", ["all budgets", "one configuration"])
def test_an_interrupted_main_job_says_how_to_continue(tmp_path: Path, which: str) -> None:
    """As by Ctrl-C, which all processes of the terminal get."""
    fake, ready = tmp_path / "python", tmp_path / "ready"
    fake.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexec sleep 60\n")
    fake.chmod(0o755)
    ready.touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    # A job in the background of a script ignores the signal, and what it starts cannot catch it.
    command = ["env", "--default-signal=INT", "make", f"PYTHON={fake}", f"READY={ready}",
               *([f"RUN={tmp_path}/run"] * (which != "all budgets"))]
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, start_new_session=True) as job:
        give_up = time.monotonic() + 60
        while not (tmp_path / "started").exists() and time.monotonic() < give_up:
            time.sleep(0.05)
        os.killpg(job.pid, signal.SIGINT)
        printed, told = job.communicate(timeout=30)
    assert job.returncode != 0
    assert "Interrupted. The same command continues" in told and "report" not in printed


def test_named_steps_follow_one_another_too(tmp_path: Path) -> None:
    notes = run(tmp_path, "-j4", "train", "compare", "evaluate", f"RUN={tmp_path}/run")
    assert [note[0] for note in notes] == ["starts", "ends"] * 3


def test_options_of_the_main_job_are_those_of_the_training(tmp_path: Path) -> None:
    notes = run(tmp_path, f"RUN={tmp_path}/run", "ARGS=--epochs 3")
    assert [note[3] for note in notes[::2] if note[-2:] == ["--epochs", "3"]] == ["train"]
    assert run(tmp_path, "physics", f"RUN={tmp_path}/run", "ARGS=--drop-lsb 1")[-1][-2:] == ["--drop-lsb", "1"]


def test_blanks_and_quotes_in_paths(tmp_path: Path) -> None:
    data = tmp_path / "my data" / "it's calq.csv"
    data.parent.mkdir()
    data.touch()
    config, folder = f"{tmp_path}/my configs/a b.yaml", f"{tmp_path}/my runs/a"
    notes = run(tmp_path, f"CONFIG={config}", f"DATA={data}", f"RUN={folder}")
    for note in notes:
        given = dict(pairwise(note))
        command, expected = note[3], {"--config": config, "--data": str(data), "--weights": f"{folder}/weights.npz",
                                      "--input": f"{folder}/test.csv", "--run": folder, "--decoder": folder}
        assert {name: value for name, value in given.items() if name in expected} == {
            name: value for name, value in expected.items() if name in given}, command
        assert all("'" not in word for word in note if word != str(data))
    train = run(tmp_path, "train", f"CONFIG={config}", f"DATA={tmp_path}/one {tmp_path}/two")[-1]
    assert train[train.index("--data") :] == ["--data", f"{tmp_path}/one", "--data", f"{tmp_path}/two", "--output",
                                              "runs/a b"]


@pytest.mark.parametrize("width", [None, 60])
def test_help_breaks_at_blanks(width: int | None) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "COLUMNS"))}
    environment |= {"COLUMNS": str(width)} if width else {}
    told = subprocess.run(["make", "help"], cwd=REPOSITORY, env=environment,
                          capture_output=True, text=True, check=True).stdout
    targets = dict(re.findall(r"^([a-z-]+):.*## (.*)$", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.M))
    shown = re.findall(r"^([a-z-]+) (.*(?:\n .*)*)$", told, re.MULTILINE)
    assert {name: " ".join(text.split()) for name, text in shown} == targets
    assert max(map(len, told.splitlines())) <= (width or 80)
