"""Parts on a farm: equal files from one process and from two workers of which one is killed; restarts."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples import batch_system
from models.calq_io import write_calq
from models.errors import InputError, ToolMissing
from training.production.farm import FarmConfig, Outcome, Part, closing, make_cluster, run
from training.production.toy import generate

pytest.importorskip("distributed")


def square(number: int, output: Path, delay: float = 0.0) -> Outcome:
    """Writes one file, and a line about the attempt."""
    with (output.parent / "attempts.log").open("a") as log:
        log.write(f"{number} {os.getpid()}\n")
    time.sleep(delay)
    output.write_text(f"{number**2}\n")
    return Outcome({"sum": number**2}, [str(output)])


def fails(output: Path) -> Outcome:
    raise InputError(f"{output}: data row 3, column x: 'y', expected a number")


def parts(folder: Path, n: int = 8, delay: float = 0.0) -> list[Part]:
    folder.mkdir(exist_ok=True)
    return [Part(f"part_{i}", square, {"number": i, "output": folder / f"part_{i}.txt", "delay": delay},
                 source="squares", span=(i, i + 1)) for i in range(n)]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part_*"))}


def test_a_killed_worker_changes_nothing(tmp_path: Path) -> None:
    """The part that a dead worker had is done again, and every file equals that of one process."""
    alone = run(parts(tmp_path / "alone"), tmp_path / "alone")
    killed = []
    with make_cluster(FarmConfig(n_workers=2, memory="1GiB")) as cluster:

        def kill_the_other(name: str, counts: dict[str, int]) -> None:
            if killed:
                return
            attempts = [line.split() for line in (tmp_path / "farm" / "attempts.log").read_text().splitlines()]
            done = (tmp_path / "farm" / f"{name}.txt").exists()
            running = [(number, int(pid)) for number, pid in attempts
                       if not (tmp_path / "farm" / f"part_{number}.txt").exists()]
            own = {nanny.pid for nanny in cluster.workers.values()}
            victims = [(number, pid) for number, pid in running if pid in own]
            if done and victims:
                killed.append(victims[0])
                os.kill(victims[0][1], signal.SIGKILL)

        together = run(parts(tmp_path / "farm", delay=0.5), tmp_path / "farm", done=kill_the_other, cluster=cluster)
    assert together == alone
    assert files(tmp_path / "farm") == files(tmp_path / "alone") and len(files(tmp_path / "farm")) == 8
    assert killed, "no worker was killed in the middle of a part"
    attempts = [line.split()[0] for line in (tmp_path / "farm" / "attempts.log").read_text().splitlines()]
    assert attempts.count(killed[0][0]) >= 2, "the part of the killed worker was not done again"


def test_restart_does_only_what_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    first = run(parts(folder), folder)
    log = folder / "attempts.log"
    log.write_text("")
    assert run(parts(folder), folder) == first
    assert log.read_text() == ""
    (folder / "part_3.txt").unlink()
    (folder / "part_5.txt").write_text("cut short")  # not the size that was written
    assert run(parts(folder), folder) == first
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["3", "5"]


def test_other_options_replace_nothing_unless_forced(tmp_path: Path) -> None:
    """Other arguments are another job, and so are the same rows in other parts."""
    folder = tmp_path / "out"
    run(parts(folder), folder)
    before, log = files(folder), folder / "attempts.log"
    log.write_text("")
    wide = [Part("part_x", square, {"number": 3, "output": folder / "part_x.txt"}, source="squares", span=(2, 4))]
    for other in (parts(folder, delay=0.001), wide):
        with pytest.raises(InputError, match=r"part_\d.txt: made before.*choose another --output, or give --force"):
            run(other, folder)
        assert log.read_text() == "" and files(folder) == before
    run(parts(folder, delay=0.001), folder, force=True)
    assert len(log.read_text().splitlines()) == 8
    run(wide, folder, force=True)
    assert sorted(files(folder)) == sorted({*before, "part_x.txt"} - {"part_2.txt", "part_3.txt"})


def test_changed_input_is_read_again(tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("1")
    part = Part("part_2", square, {"number": 2, "output": tmp_path / "part_2.txt"}, inputs=(source,))
    run([part], tmp_path)
    before = part.digest()
    source.write_text("22")
    assert part.digest() != before
    run([part], tmp_path)
    assert len((tmp_path / "attempts.log").read_text().splitlines()) == 2


@pytest.mark.parametrize("n_workers", [1, 2])
def test_bad_input_is_the_same_error_anywhere(tmp_path: Path, n_workers: int) -> None:
    bad = [*parts(tmp_path / "out", 2), Part("bad", fails, {"output": tmp_path / "bad.txt"})]
    with pytest.raises(InputError, match="data row 3, column x: 'y', expected a number"):
        run(bad, tmp_path / "out", FarmConfig(n_workers=n_workers, memory="1GiB"))


def test_workers_of_a_command_say_nothing_but_its_error(tmp_path: Path) -> None:
    """Neither dask's comings and goings nor the tracebacks of its workers, which write to stderr themselves."""
    write_calq(tmp_path / "calq.csv", generate(10, 1))
    done = subprocess.run(
        [sys.executable, "-m", "emulator", "encode", "--per-module", "--weights", "econ_t_2elink", "--input",
         str(tmp_path / "calq.csv"), "--output", str(tmp_path / "latents"), "--workers", "2"],
        capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {tmp_path / 'calq.csv'}: column layer is missing\n"


def test_workers_that_end_late_are_no_news(caplog: pytest.LogCaptureFixture) -> None:
    nanny = logging.getLogger("distributed.nanny")

    class Cluster:
        def close(self) -> None:
            nanny.warning("Worker process still alive after 4.0 seconds, killing")
            raise TimeoutError

    with caplog.at_level(logging.WARNING), closing(Cluster()):
        nanny.warning("Worker exceeded 95% memory budget. Restarting")
    nanny.warning("Restarting worker")
    assert [record.message for record in caplog.records] == [
        "Worker exceeded 95% memory budget. Restarting", "not all workers have ended yet", "Restarting worker"]


def test_parts_of_one_name(tmp_path: Path) -> None:
    twice = parts(tmp_path, 1) * 2
    with pytest.raises(InputError, match="two parts of this job would write 'part_0'"):
        run(twice, tmp_path)


def test_simulation_on_two_workers_equals_one_process(tmp_path: Path) -> None:
    """Real parts: events of the fast calorimeter, byte for byte."""
    pytest.importorskip("pythia8mc")
    from training.production.calorimeter import Sample
    from training.production.steps import generate_parts

    sample = Sample("electrons", pile_up=0, seed=2, layers=(9, 11))
    results = {}
    for name, n_workers in (("alone", 1), ("two", 2)):
        folder, cache = tmp_path / name, tmp_path / f"cache-{name}"
        jobs = generate_parts(sample, 3, 5, folder, events_per_part=2, suffix=".parquet", order="tc", cache=cache)
        run(jobs, folder, FarmConfig(n_workers=n_workers, memory="1GiB"))
        results[name] = {path.name: path.read_bytes() for path in sorted(folder.glob("*.parquet"))}
    assert list(results["alone"]) == ["events_000000003-000000003.parquet", "events_000000004-000000005.parquet",
                                      "events_000000006-000000007.parquet"]
    assert results["alone"] == results["two"]


@pytest.mark.parametrize(("text", "message"), [
    ("cluster: lfs\n", r"farm.yaml:1: cluster: .*got 'lfs'"),
    ("cluster: slurm\nn_worker: 3\n", r"farm.yaml:2: n_worker: .*did you mean 'n_workers'\?"),
    ("n_workers: 0\n", r"farm.yaml:1: n_workers: .*got 0"),
])
def test_bad_farm_file(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "farm.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        FarmConfig.load(tmp_path / "farm.yaml")


@pytest.mark.parametrize(("text", "message"), [
    ("cluster: htcondor\noptions: {bogus: 1}\n", "rejected by htcondor: Got unexpected keyword argument 'bogus'"),
    ("cluster: slurm\nmemory: lots\n", "rejected by slurm: Could not interpret 'lots'"),
    ("options: {n_workers: 1}\n", "rejected by local: .* multiple values for keyword argument 'n_workers'"),
    ("options: {bogus: 1}\n", "rejected by local: .* unexpected keyword argument 'bogus'"),
    ("cluster: slurm\noptions: {job_script_prologue: source x.sh}\n",
     "options: job_script_prologue: 'source x.sh', expected a list of lines"),
])
def test_options_that_a_cluster_does_not_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
                                              ) -> None:
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setattr(shutil, "which", str)
    (tmp_path / "farm.yaml").write_text(text)
    with pytest.raises(InputError, match=f"farm.yaml: .*{message}"):
        make_cluster(FarmConfig.load(tmp_path / "farm.yaml"))


def test_batch_system_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissing, match="slurm needs the command sbatch"):
        make_cluster(FarmConfig(cluster="slurm"))


@pytest.mark.parametrize(("text", "expected"), [
    ("cluster: htcondor\nmemory: 3GB\noptions: {disk: 5GB, job_extra_directives: {+JobFlavour: '\"longlunch\"'}}\n",
     ["DaskWorkerMemory = 3000000000", "DaskWorkerDisk = 5000000000", '+JobFlavour = "longlunch"']),
    ("cluster: slurm\nmemory: 3GB\ncores: 2\noptions: {queue: short, walltime: '01:00:00'}\n",
     ["#SBATCH -p short", "#SBATCH -t 01:00:00", "--cpus-per-task=2"]),
])
def test_job_of_a_batch_system(tmp_path: Path, text: str, expected: list[str]) -> None:
    """The job that would be handed in; no batch system is needed to write it."""
    pytest.importorskip("dask_jobqueue")
    from training.production import farm

    (tmp_path / "farm.yaml").write_text(text)
    with farm.batch_cluster(FarmConfig.load(tmp_path / "farm.yaml")) as cluster:
        script = cluster.job_script()
    for line in expected:
        assert line in script, script


@pytest.fixture(params=["htcondor", "slurm"])
def batch(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
          ) -> Iterator[tuple[Path, Path]]:
    """A farm file, and the folder with the jobs that were handed in."""
    pytest.importorskip("dask_jobqueue")
    commands, jobs = tmp_path / "bin", tmp_path / "jobs"
    for folder in (commands, jobs):
        folder.mkdir()
    batch_system.install(commands, jobs, batch_system.COMMANDS[request.param])
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.chdir(REPOSITORY)  # jobs start where they are handed in
    # Dask leaves in this process what it sets for local workers; jobs inherit it, and would be as silent.
    monkeypatch.delenv("DASK_LOGGING__DISTRIBUTED", raising=False)
    (tmp_path / "farm.yaml").write_text(
        f"cluster: {request.param}\nn_workers: 2\nmemory: 1GB\n"
        f"options: {{local_directory: {tmp_path}/scratch, scheduler_options: {{host: 127.0.0.1, "
        "dashboard_address: null}}\n")
    yield tmp_path / "farm.yaml", jobs
    for path in jobs.glob("*.pid"):
        with suppress(ProcessLookupError):
            os.killpg(int(path.read_text()), signal.SIGKILL)


def ended(job: Path) -> bool:
    """No process of a job's group is left but those that wait to be collected."""
    group = job.with_suffix(".pid").read_text()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if its_group == group and state != "Z":
                return False
    return True


def test_job_on_a_batch_system_equals_one_process(batch: tuple[Path, Path], tmp_path: Path) -> None:
    """By the command: jobs handed in, workers that come from them, parts done by them, jobs cancelled, equal files."""
    pytest.importorskip("pythia8mc")
    from typer.testing import CliRunner

    from training.commands.data import app

    farm_file, jobs = batch
    command = ["generate", "--events", "4", "--events-per-part", "1", "--process", "electrons", "--pile-up", "0",
               "--layers", "9", "--cache", str(tmp_path / "cache")]
    results = {}
    for name, more in (("alone", []), ("farm", ["--farm", str(farm_file)])):
        result = CliRunner().invoke(app, [*command, "--output", str(tmp_path / name), *more])
        assert result.exit_code == 0, result.output
        results[name] = {path.name: path.read_bytes() for path in sorted((tmp_path / name).glob("*.parquet"))}
    assert len(results["alone"]) == 4 and results["farm"] == results["alone"]
    handed_in = sorted(jobs.glob("*.job"))
    assert len(handed_in) == 2
    assert any("Registered to" in job.with_suffix(".log").read_text() for job in handed_in), "no worker came from a job"
    for job in handed_in:
        assert job.with_suffix(".cancelled").exists(), f"{job} was not cancelled"
        while not ended(job):  # a killed process takes a moment
            time.sleep(0.05)


def test_jobs_that_the_batch_system_ends_are_handed_in_again(batch: tuple[Path, Path], tmp_path: Path) -> None:
    """All of them in the middle of parts, as at the end of the time that a queue gives."""
    import dask

    farm_file, jobs = batch
    farm = FarmConfig.load(farm_file).model_copy(update={"resubmit_seconds": 0.5})
    folder, killed = tmp_path / "out", []

    def end_all(name: str, counts: dict[str, int]) -> None:
        if not killed:
            killed.extend(path for path in jobs.glob("*.pid"))
            for path in killed:
                os.killpg(int(path.read_text()), signal.SIGKILL)

    with dask.config.set({"distributed.deploy.lost-worker-timeout": "0.5s"}):
        counts = run(parts(folder, 6, delay=0.4), folder, farm, done=end_all)
    assert counts == {f"part_{i}": {"sum": i**2} for i in range(6)} and len(files(folder)) == 6
    assert len(killed) == 2 and len(list(jobs.glob("*.job"))) > 2
