"""Mutation check: is there a test for everything that can go wrong? Faults of one line, put in one by one.

`faults.yaml` has, by file, what to replace by what and the tests that must notice. They run in copies of the project;
a fault that no test notices is a test that is missing.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from models.errors import InputError
from models.yaml_file import read_yaml

REPOSITORY = Path(__file__).parent.parent
LIST = Path(__file__).with_name("faults.yaml")
_LEFT_OUT = shutil.ignore_patterns("runs", "site", ".*", "__pycache__")
_FAILED = re.compile(r"^(?:FAILED|ERROR) (?:bitexact_tests/)?(\S+\.py(?:::.*?)?)(?: - .*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Fault:
    """`text`, which stands in `file` once, is replaced by `by`; `tests` are words of pytest: files, names, -k."""

    file: str
    what: str
    text: str
    by: str
    tests: str

    def applied(self, source: str) -> str:
        """The source with the fault; raises InputError unless there is exactly one place for it."""
        if source.count(self.text) != 1:
            raise InputError(f"{self.file}: {self.what}: {self.text.strip()!r} stands there {source.count(self.text)} "
                             "times, expected once")
        return source.replace(self.text, self.by)

    @property
    def selection(self) -> list[str]:
        """Arguments of pytest."""
        words = shlex.split(self.tests)
        return [f"bitexact_tests/{word}" if ".py" in word else word for word in words]


@dataclass(frozen=True)
class Outcome:
    """What the tests said of a fault, or of the code without one: None for `caught_by` if they all passed."""

    caught_by: str | None
    seconds: float
    problem: str = ""
    """Why there is no answer: the tests took too long, or there are none."""


def load_faults() -> list[Fault]:
    content, _ = read_yaml(LIST)  # refuses a file that is listed twice
    return [Fault(file, **fault) for file, faults in content.items() for fault in faults]


@contextmanager
def working_copy() -> Iterator[Path]:
    """The project in a folder of its own, with the published data beside it as in a checkout."""
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        copy = Path(name) / "main"
        shutil.copytree(REPOSITORY, copy, ignore=_LEFT_OUT)
        if (shared := REPOSITORY.parent / "shared").exists():
            (copy.parent / "shared").symlink_to(shared.resolve())
        yield copy


def run_tests(copy: Path, selection: Sequence[str], timeout_seconds: float) -> Outcome:
    """Run a selection in a copy up to the first test that fails; one that cannot run is a failure, not a skip."""
    environment = os.environ | {
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",  # two faults of one second and one size would share their compiled file
        "ECON_T_CACHE": str(copy.parent / "cache"),
        "REQUIRE_TOOLS": "1",
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "-p", "no:cacheprovider",
               "--hypothesis-profile=first_failure", *selection]
    start = time.monotonic()
    with subprocess.Popen(command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)  # with the compilers and simulators that it started
            return Outcome(None, time.monotonic() - start, f"more than {timeout_seconds:g} s")
    seconds = time.monotonic() - start
    failed = _FAILED.search(output)
    if process.returncode == 0:
        return Outcome(None, seconds)
    if process.returncode == 1 and failed:
        return Outcome(failed[1], seconds)
    return Outcome(None, seconds, f"pytest ended with status {process.returncode}: {output.strip()[-300:]}")


def try_fault(copy: Path, fault: Fault, timeout_seconds: float) -> Outcome:
    """Put the fault into the copy, run its tests, take it out again."""
    path = copy / fault.file
    source = path.read_text(encoding="utf-8")
    path.write_text(fault.applied(source), encoding="utf-8")
    try:
        return run_tests(copy, fault.selection, timeout_seconds)
    finally:
        path.write_text(source, encoding="utf-8")


def check(
    faults: Sequence[Fault], timeout_seconds: float, n_workers: int, report: Callable[[str, Outcome], None]
) -> list[Outcome]:
    """The outcome of each fault; before them, that of each selection on the code as it is, which must pass.

    `report` is called with a title and an outcome as they come. Raises InputError for a fault that no longer applies or
    tests that fail without one.
    """
    for fault in faults:
        fault.applied((REPOSITORY / fault.file).read_text(encoding="utf-8"))
    selections = list(dict.fromkeys(fault.tests for fault in faults))
    copies: SimpleQueue[Path] = SimpleQueue()

    def clean(tests: str) -> None:
        copy = copies.get()
        try:
            outcome = run_tests(copy, next(f.selection for f in faults if f.tests == tests), timeout_seconds)
        finally:
            copies.put(copy)
        if problem := outcome.problem or outcome.caught_by:
            raise InputError(f"the tests '{tests}' must pass on the code without a fault: {problem}")
        report(f"without a fault: {tests}", outcome)

    def faulty(fault: Fault) -> Outcome:
        copy = copies.get()
        try:
            outcome = try_fault(copy, fault, timeout_seconds)
        finally:
            copies.put(copy)
        report(f"{fault.file}: {fault.what}", outcome)
        return outcome

    with _copies(n_workers) as made, ThreadPoolExecutor(n_workers) as pool:
        for copy in made:
            copies.put(copy)
        list(pool.map(clean, selections))
        return list(pool.map(faulty, faults))


@contextmanager
def _copies(n: int) -> Iterator[list[Path]]:
    if n == 0:
        yield []
        return
    with working_copy() as first, _copies(n - 1) as others:
        yield [first, *others]


def page(faults: Sequence[Fault], outcomes: Sequence[Outcome], seconds: float) -> str:
    """The outcome as a page of the documentation."""
    caught = sum(outcome.caught_by is not None for outcome in outcomes)
    lines = [
        "# Faults that the tests must find", "",
        f"{len(faults)} faults of one line, each put alone into a copy of the code; {caught} of them were found, in "
        f"{seconds / 60:.0f} minutes. Before that, each selection of tests passed on the code as it is. `make faults` "
        "does it again and writes this page; the list is `bitexact_tests/faults.yaml`.", "",
        "| What is wrong | Where | Found by | Seconds |", "|---|---|---|---:|",
    ]
    for fault, outcome in zip(faults, outcomes, strict=True):
        found = f"`{outcome.caught_by}`".replace("|", r"\|") if outcome.caught_by else "**nothing**"
        lines.append(f"| {fault.what} | `{fault.file}` | {found} | {outcome.seconds:.0f} |")
    return "\n".join(lines) + "\n"
