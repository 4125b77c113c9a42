"""Stand-ins for the commands of HTCondor and SLURM."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

_TEXT = """#!{python}
import os, pathlib, re, shlex, signal, subprocess, sys
name, jobs, slots = pathlib.Path(sys.argv[0]).name, pathlib.Path({jobs!r}), {slots}
def text_of(file):
    return pathlib.Path(file).read_text()
def condor_words(text):
    # Double quotes around all, single ones around a word with spaces; either is doubled to stand for itself.
    body = re.search('(?m)^Arguments = "(.*)"$', text)[1].replace('""', '"')
    return [word.replace("''", "'") if not word.startswith("'") else word[1:-1].replace("''", "'")
            for word in re.findall("'(?:[^']|'')*'|[^ ]+", body)]
if name in ("condor_submit", "sbatch"):
    text = text_of(sys.argv[-1])
    for number in range(1, 1000):  # two may be handed in at once
        try:
            (jobs / f"{{number}}.job").open("x").write(text)
            break
        except FileExistsError:
            pass
    script = jobs / f"{{number}}.sh"
    script.write_text(text)
    condor = name == "condor_submit"
    run = [re.search("(?m)^Executable = (.*)$", text)[1], *condor_words(text)] if condor else ["bash", str(script)]
    running = [pid for pid in jobs.glob("*.pid") if not pid.with_suffix(".cancelled").exists()]
    if len(running) < slots:
        with (jobs / f"{{number}}.log").open("w") as log:
            process = subprocess.Popen(run, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        (jobs / f"{{number}}.pid").write_text(str(process.pid))
    print(f"1 job(s) submitted to cluster {{number}}." if condor else f"Submitted batch job {{number}}")
else:
    number = sys.argv[-1].split(".")[0]
    (jobs / f"{{number}}.cancelled").touch()
    try:
        os.killpg(int(text_of(jobs / f"{{number}}.pid")), signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        sys.exit(1)
"""
"""Starts jobs on this machine at once, as whole process groups, and ends them."""


COMMANDS = {"htcondor": ("condor_submit", "condor_rm"), "slurm": ("sbatch", "scancel")}
"""By batch system: the command that takes a job, and the one that cancels it."""


def install(folder: Path, jobs: Path, names: Iterable[str], slots: int = 1000) -> None:
    """Write commands of these names into `folder`.

    They note every job in the folder `jobs` and start as many as there are `slots`; those beyond wait for ever.
    """
    for name in names:
        (folder / name).write_text(_TEXT.format(python=sys.executable, jobs=str(jobs), slots=slots), encoding="utf-8")
        (folder / name).chmod(0o755)
