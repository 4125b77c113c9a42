"""Training of several recipes at a time, each by processes with one core: the run, then its compact decoders."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from models.config import Config
from models.errors import InputError, ToolFailed

OUTPUT = Path("runs") / "weights"
"""A run for each recipe, by its name: a recipe may start from the run of another one."""
_ONE_CORE = {name: "1" for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")}
COMPACT = ("--macs", "3000", "--macs", "30000", "--share", "0", "--epochs", "24")
"""Options of `econ-t distill`: these decoders are shipped. With the truth alone they are as good as with a teacher."""
_PACKAGES = Path(__file__).parents[2]
_POLL_SECONDS = 0.2


def with_starts(names: Iterable[str], recipes: Mapping[str, Path]) -> dict[str, Path]:
    """The recipes of these names, and those that they start from."""
    found: dict[str, Path] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = recipes[name]
            waiting += _starts(name, recipes[name]) & recipes.keys()
    return found


def train_recipes(
    recipes: Mapping[str, Path], at_once: int, report: Callable[[str], None], retrain: bool = False
) -> None:
    """Train each recipe and its compact decoders into OUTPUT/NAME, `at_once` at a time.

    A recipe comes after those that its stages start from. Without `retrain`, finished stages are not repeated. What the
    trainings say stands in OUTPUT/NAME.log. Raises ToolFailed, after all others have ended, if one failed, and
    InputError if recipes start from each other.
    """
    needs = {name: _starts(name, path) & recipes.keys() for name, path in recipes.items()}
    waiting, done, failed = list(recipes), set[str](), dict[str, str]()
    running: dict[str, _Job] = {}
    try:
        while waiting or running:
            for name in [one for one in waiting if needs[one] & failed.keys()]:
                waiting.remove(name)
                failed[name] = "what it starts from failed"
            for name in [one for one in waiting if needs[one] <= done][: at_once - len(running)]:
                waiting.remove(name)
                running[name] = _Job.start(recipes[name], OUTPUT / name, retrain)
                report(f"{name}: training, log in {running[name].log.name}")
            if waiting and not running:
                if any(needs[one] <= done or needs[one] & failed.keys() for one in waiting):
                    continue
                raise InputError(f"recipes {', '.join(waiting)} start from each other, expected one that starts from "
                                 "random weights")
            for name in [one for one, job in running.items() if job.has_ended()]:
                problem = running.pop(name).problem()
                report(f"{name}: {problem or 'trained'}")
                if problem:
                    failed[name] = problem
                else:
                    done.add(name)
            time.sleep(_POLL_SECONDS)
    finally:
        for job in running.values():
            job.process.terminate()
            job.process.wait()
    if failed:
        name, problem = next(iter(failed.items()))
        raise ToolFailed(f"{len(failed)} of {len(recipes)} trainings failed; {name}: {problem}")


def _starts(name: str, path: Path) -> set[str]:
    """Names of the recipes that a recipe starts from, at their end or at a stage.

    Raises InputError if it has another name than its file.
    """
    config = Config.load(path)
    if config.name != name:
        raise InputError(f"{path}: name {config.name}, expected {name} as the file")
    starts = [Path(stage.start) for stage in config.stages() if stage.start]
    return {start.relative_to(OUTPUT).parts[0] for start in starts if OUTPUT in start.parents}


@dataclass
class _Job:
    """A training, then that of the compact decoders, each in a process of its own."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    waiting: Iterator[Sequence[str]]
    """Arguments of the commands that follow."""

    @classmethod
    def start(cls, recipe: Path, output: Path, retrain: bool) -> _Job:
        output.parent.mkdir(parents=True, exist_ok=True)
        log = output.with_name(f"{output.name}.log").open("wb")
        again = ["--retrain"] if retrain else []
        commands = iter([["train", "--config", str(recipe), "--output", str(output), *again],
                         ["distill", *COMPACT, "--run", str(output), *again]])
        return cls(_process(next(commands), log), log, commands)

    def has_ended(self) -> bool:
        """Whether there is nothing more to wait for: a command failed, or all are done."""
        if self.process.poll() is None:
            return False
        following = None if self.process.returncode else next(self.waiting, None)
        if following is None:
            return True
        self.process = _process(following, self.log)
        return False

    def problem(self) -> str | None:
        """What went wrong in a process that ended: the last line that it wrote."""
        self.log.close()
        if not self.process.returncode:
            return None
        lines = Path(self.log.name).read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()),
                    f"ended with status {self.process.returncode}")


def _process(arguments: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(filter(None, [str(_PACKAGES), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen([sys.executable, "-m", "training", *arguments], stdout=log, stderr=log,
                            env=os.environ | _ONE_CORE | {"PYTHONPATH": path}, stdin=subprocess.DEVNULL)
