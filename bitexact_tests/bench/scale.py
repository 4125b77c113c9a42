"""Collisions to latents on several processes: rates, efficiency, and a job that is killed: `make bench-scale`.

Every way of running must leave the same bytes. Prints tables of docs/performance.md; CPU time tells less of what else
the machine does than the clock.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

from bitexact_tests.bench.child import Taken, run, start_process

EVENTS_PER_PART = 10
MODULES_PER_EVENT = 16_200
"""About as many modules of an event of ttbar with 200 pile-up are hit."""
STEPS = ("generate", "split", "encode")
_PIECE = 1 << 20


def whole_parts(n_modules: int) -> int:
    """Events with about this many modules, in whole parts: those of a smaller job are parts of a larger one too."""
    return max(round(n_modules / MODULES_PER_EVENT / EVENTS_PER_PART), 2) * EVENTS_PER_PART


def command(step: str, folder: Path, n_events: int, workers: int) -> list[str | Path]:
    """The words of a step, which reads the folder of the step before."""
    common = ["--output", folder / step, "--workers", str(workers)]
    data: list[str | Path] = ["-m", "training", "data"]
    if step == "generate":
        return [*data, step, "--events", str(n_events), "--events-per-part", str(EVENTS_PER_PART), "--cache",
                folder.parent / "collisions", *common]
    if step == "split":
        return [*data, step, folder / "generate", "--format", "parquet", *common]
    sets = (word for links in (2, 3, 4, 5) for word in ("--weights", f"econ_t_{links}elink"))
    return ["-m", "emulator", step, "--per-module", *sets, "--input", folder / "generate", *common]


def digests(folder: Path) -> dict[str, str]:
    """Digest of each finished file, by name; what a killed process had begun stays hidden, and is of no job."""
    found = {}
    for path in sorted(folder.rglob("[!.]*.parquet")):
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
        found[str(path.relative_to(folder))] = digest.hexdigest()
    return found


def n_modules(folder: Path) -> int:
    """Modules that were generated, by the notes of the parts."""
    notes = (path.read_text(encoding="utf-8") for path in (folder / "generate" / ".parts").glob("[!.]*.json"))
    return sum(int(found[1]) for note in notes if (found := re.search(r'"modules": ?(\d+)', note)))


def killed(words: list[str | Path], notes: Path, n_parts: int) -> int:
    """Kill a job and its workers at half of its parts; the number of parts that were done."""
    with tempfile.TemporaryFile() as said:
        process = start_process(words, said.fileno())
        while process.poll() is None:
            done = len(list(notes.glob("[!.]*.json")))
            if done >= n_parts // 2:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return done
            time.sleep(0.02)
    raise RuntimeError(f"{words[3]}: done before it could be killed")


def rates(folder: Path, n_events: int, workers: list[int]) -> dict[str, str]:
    """Print time and efficiency of each step by number of workers; the digests of the files, equal for all.

    Core hours and disk space of 10^9 modules are those of the first number of workers, start-up included: parts share
    nothing but the disk and the process that hands them out.
    """
    run(command("generate", folder / "warm", 1, 1))  # makes the collisions that all events draw from
    sys.stdout.write("| step | workers | modules | s | modules/s | efficiency | CPU s | modules per CPU second |\n"
                     "|---|---|---|---|---|---|---|---|\n")
    first: dict[str, Taken] = {}
    found: dict[str, str] = {}
    for n in workers:
        here = folder / f"workers_{n}"
        for step in STEPS:
            taken = run(command(step, here, n_events, n))
            modules, alone = n_modules(here), first.setdefault(step, taken)
            efficiency = alone.seconds * workers[0] / (taken.seconds * min(n, os.cpu_count() or 1))
            sys.stdout.write(
                f"| {step} | {n} | {modules:,} | {taken.seconds:.1f} | {modules / taken.seconds:,.0f} | "
                f"{efficiency:.2f} | {taken.cpu_seconds:.1f} | {modules / taken.cpu_seconds:,.0f} |\n")
            sys.stdout.flush()
        same = digests(here)
        if found and same != found:
            raise RuntimeError(f"{n} workers wrote other files than {workers[0]}")
        found = same
    for step, alone in first.items():
        files = folder / f"workers_{workers[0]}"
        size = sum(path.stat().st_size for path in (files / step).rglob("[!.]*.parquet")) / n_modules(files)
        sys.stdout.write(f"10^9 modules, {step}: {1e9 * alone.cpu_seconds / n_modules(files) / 3600:.1f} core hours, "
                         f"{size:.0f} GB\n")
    sys.stdout.flush()
    return found


def rehearsal(folder: Path, n_events: int, workers: int, undisturbed: dict[str, str]) -> None:
    """Run all steps, each killed once at half of its parts and run again; compare with files of fewer events."""
    here, n_parts = folder / "rehearsal", -(-n_events // EVENTS_PER_PART)
    run(command("generate", folder / "warm", 1, 1))
    for step in STEPS:
        words, start = command(step, here, n_events, workers), time.perf_counter()
        done = killed(words, here / step / ".parts", n_parts)
        taken = run(words)
        sys.stdout.write(f"{step}: {n_parts} parts, killed with {done} of them done, "
                         f"{time.perf_counter() - start:.0f} s in all; after the kill {taken.cpu_seconds:.0f} s of CPU "
                         f"time, the largest process {taken.peak_mib:,.0f} MiB\n")
        sys.stdout.flush()
    found = digests(here)
    other = [name for name, digest in undisturbed.items() if found.get(name) != digest]
    if other:
        raise RuntimeError(f"files that differ from those of an undisturbed job: {', '.join(other)}")
    listed = "\n".join(f"{digest}  {name}" for name, digest in found.items())
    sys.stdout.write(f"{n_modules(here):,} modules in {len(found)} files, sha256 of their list "
                     f"{hashlib.sha256(listed.encode()).hexdigest()[:16]}; {len(undisturbed)} of them equal, byte for "
                     "byte, to those of undisturbed jobs\n")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="bitexact_tests.bench.scale", description=__doc__)
    parser.add_argument("--modules", type=int, default=10**6, help="of the rates, about")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="of the rates")
    parser.add_argument("--rehearsal", type=int, default=10**7, help="modules of the killed job, about; 0: none")
    parser.add_argument("--folder", type=Path, help="where the files stay; default: a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).absolute()
        found = rates(folder, whole_parts(options.modules), options.workers)
        if options.rehearsal:
            rehearsal(folder, whole_parts(options.rehearsal), 2, found)


if __name__ == "__main__":
    main()
