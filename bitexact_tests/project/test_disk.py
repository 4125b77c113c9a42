"""A full disk, a disk that cannot be written, and what killed writers left: one line, older results as they were."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from numpy.testing import assert_array_equal
from typer import Typer
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.runs import dataset_of
from models.calq_io import read_calq, write_calq
from models.config import Config
from models.errors import InputError
from models.files import atomic_directory, atomic_path
from models.weights import EncoderWeights
from training.production.stream import data_files
from training.production.toy import generate

CONFIG = REPOSITORY / "configs" / "econ_t_5elink.yaml"


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A small file system of its own; skips where this user may not mount."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("not allowed to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    write_calq(tmp_path / "calq.csv", generate(2000, 1))
    EncoderWeights.random(Config.load(CONFIG).encoder, 1).save(tmp_path / "weights.npz")
    return tmp_path


COMMANDS = {
    "latent.csv": "emulator encode --config {config} --weights {inputs}/weights.npz --input {inputs}/calq.csv --output",
    "latent.parquet":
        "emulator encode --config {config} --weights {inputs}/weights.npz --input {inputs}/calq.csv --output",
    "trace.npz": "emulator encode --config {config} --weights {inputs}/weights.npz --input {inputs}/calq.csv "
                 "--output {inputs}/latent.csv --trace",
    "init.yaml": "models registers --weights {inputs}/weights.npz --output",
    "calq.csv": "training data generate --n-modules 3000 --output",
    "calq.parquet": "training data generate --n-modules 3000 --output",
}  # fmt: skip


def run(name: str, inputs: Path, output: Path) -> Result:
    package, *arguments = COMMANDS[name].format(config=CONFIG, inputs=inputs).split()
    app: Typer = __import__(f"{package}.__main__", fromlist=["app"]).app
    return CliRunner().invoke(app, [*arguments, str(output)])


def refused(result: Result, output: Path) -> None:
    assert result.exit_code == 2, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.strip()]
    assert line.startswith(f"error: {output}: "), line


@pytest.mark.parametrize("name", COMMANDS)
def test_full_disk(name: str, inputs: Path) -> None:
    with mounted(inputs / "full", "size=8k") as folder:
        (folder / name).write_text("older")
        refused(run(name, inputs, folder / name), folder / name)
        assert {path.name: path.read_text() for path in folder.iterdir()} == {name: "older"}


def test_file_size_limit(inputs: Path) -> None:
    """As a full disk, for users who may not mount: a file may not grow beyond 8 KB."""
    output = inputs / "latent.csv"
    output.write_text("older")
    arguments = COMMANDS["latent.csv"].format(config=CONFIG, inputs=inputs).split()
    limited = ("import resource, runpy, sys; sys.argv.pop(0); resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)); "
               "sys.dont_write_bytecode = True; runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)")
    result = subprocess.run([sys.executable, "-c", limited, *arguments, str(output)], cwd=REPOSITORY, text=True,
                            capture_output=True, check=False, timeout=300)
    assert result.returncode == 2
    assert result.stderr == f"error: {output}: File too large\n"
    assert output.read_text() == "older"
    assert not list(inputs.glob(".latent*"))


@pytest.mark.parametrize("name", ["latent.csv", "trace.npz", "init.yaml", "calq.parquet"])
def test_output_that_cannot_be_written(name: str, inputs: Path) -> None:
    """Below a file, and on a file system that is read-only: that stops root too, as permissions do not."""
    result = run(name, inputs, inputs / "weights.npz" / name)
    assert result.exit_code == 2
    assert "weights.npz" in result.stderr and result.stderr.count("\n") == 1
    with mounted(inputs / "readonly", "size=1m,ro") as folder:
        result = run(name, inputs, folder / name)
        assert result.exit_code == 2
        assert str(folder) in result.stderr and "Read-only" in result.stderr and result.stderr.count("\n") == 1


def test_left_by_a_killed_writer_is_no_data(tmp_path: Path) -> None:
    calq = generate(20, 1)
    write_calq(tmp_path / "calq.csv", calq)
    (tmp_path / ".calq-ab12.csv").write_text("CALQ_0,CALQ_1\n1,")
    (tmp_path / ".calq-ab12.parquet").write_bytes(b"PAR1")
    assert_array_equal(read_calq(tmp_path).calq, calq)
    assert data_files([tmp_path]) == [tmp_path / "calq.csv"]


def test_older_folder_is_whole_until_the_new_one_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever files are deleted, the folder of that name holds everything, old or new."""
    target = tmp_path / "project"
    seen = []
    monkeypatch.setattr("models.files.shutil.rmtree", lambda *_, **__: seen.append(
        sorted(path.name for path in target.iterdir())))
    for name in ("old", "new"):
        with atomic_directory(target) as temporary:
            for part in range(3):
                (temporary / f"{name}_{part}").touch()
    assert seen and {tuple(names) for names in seen} == {tuple(f"{n}_{i}" for i in range(3)) for n in ("old", "new")}


@pytest.mark.parametrize("command", [
    "hls convert --config {config} --weights {folder}/weights.npz --output {folder}/mine",
    "rtl constant --config {config} --weights {folder}/weights.npz --output {folder}/mine",
    "rtl sim --config {config} --weights {folder}/weights.npz --input {folder}/calq.csv --output {folder}/l.csv "
    "--build {folder}/mine",
    "rtl synth --config {config} --output {folder}/gates.json --netlists {folder}/mine"])
def test_folder_of_somebody_else_is_not_replaced(command: str, inputs: Path) -> None:
    """Not even if it holds the names that the command would write."""
    names = ["constant.json", "design.json", "project.json", "saved_model.pb", "thesis.tex", "top.v"]
    (inputs / "mine").mkdir()
    for name in names:
        (inputs / "mine" / name).write_text("years")
    package, *words = command.format(config=CONFIG, folder=inputs).split()
    result = CliRunner().invoke(importlib.import_module(f"{package}.__main__").app, words)
    assert result.exit_code == 2
    assert f"{inputs / 'mine'}: a folder with other files" in result.stderr and result.stderr.count("\n") == 1
    assert sorted(path.name for path in (inputs / "mine").iterdir()) == names


def test_folder_that_was_made_under_guard_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "project"
    target.mkdir()
    for name in ("first", "second"):
        with atomic_directory(target, guarded=True) as temporary:
            (temporary / name).touch()
        assert {path.name for path in target.iterdir()} == {name, ".econ-t"}
    (target / ".econ-t").unlink()
    with pytest.raises(InputError, match="a folder with other files"), atomic_directory(target, guarded=True):
        raise AssertionError("the work is done before the folder is looked at")
    assert [path.name for path in tmp_path.rglob("*")] == ["project", "second"]


def test_what_is_no_file_is_written_into(inputs: Path) -> None:
    """A pipe, and links to open files as /dev/stdout is one, at their position: none of them is replaced."""
    arguments = [sys.executable, "-m", *COMMANDS["init.yaml"].format(config=CONFIG, inputs=inputs).split()]
    expected = subprocess.run([*arguments, "-"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    with (inputs / "log").open("w+b") as log:
        log.write(b"older\n")
        log.flush()
        subprocess.run([*arguments, f"/proc/self/fd/{log.fileno()}"], cwd=REPOSITORY, check=True,
                       pass_fds=[log.fileno()])
    assert (inputs / "log").read_bytes() == b"older\n" + expected and len(expected) > 1000
    pipe = inputs / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)
    with atomic_path(pipe) as temporary:
        temporary.write_bytes(b"words")
    assert pipe.is_fifo() and os.read(reader, 100) == b"words"
    os.close(reader)
    assert sorted(path.name for path in inputs.iterdir()) == ["calq.csv", "log", "pipe", "weights.npz"]


def test_device_stays_a_device(inputs: Path) -> None:
    device = inputs / "null"
    if subprocess.run(["mknod", str(device), "c", "1", "3"], capture_output=True, check=False).returncode:
        pytest.skip("not allowed to make a device")
    try:
        device.write_bytes(b"")
    except PermissionError:
        pytest.skip("not allowed to open a device here")
    assert run("latent.csv", inputs, device).exit_code == 0
    assert device.is_char_device()


def test_broken_checkpoint_starts_again(tmp_path: Path) -> None:
    from training.fit.checkpoint import Checkpoint
    from training.fit.trainer import Trainer

    config = Config.load(CONFIG).override(
        training={"batch_size": 16, "epochs": 1, "decoder": {"width": 4, "layers": 1}, "augment": {"generated": 0.0}})
    trainer = Trainer.from_config(config, dataset_of(config, generate(64, 1), 32))
    path = tmp_path / "checkpoint.npz"
    mine = Checkpoint(path, "mine")
    mine.save(trainer)
    good = path.read_bytes()
    before = [variable.numpy() for variable in trainer.variables]
    rng = np.random.default_rng(1)
    for content in (b"", good[:-9], good[: len(good) // 2], rng.bytes(100),
                    *(good[:at] + b"\xff" + good[at + 1 :] for at in rng.integers(0, len(good), 30))):
        path.write_bytes(content)
        if not mine.restore(trainer):
            for variable, value in zip(trainer.variables, before, strict=True):
                assert_array_equal(variable.numpy(), value)
    assert not Checkpoint(path, "other").restore(trainer)
    path.write_bytes(good)
    assert mine.restore(trainer)


def test_stdout_that_is_full(inputs: Path) -> None:
    arguments = COMMANDS["latent.csv"].format(config=CONFIG, inputs=inputs).split()
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run([sys.executable, "-m", *arguments, "-"], cwd=REPOSITORY, text=True, stdout=full,
                                stderr=subprocess.PIPE, check=False, timeout=300)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1 and "No space left on device" in result.stderr
