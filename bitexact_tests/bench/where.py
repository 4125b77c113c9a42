"""Where the time of the commands goes: `make bench-profile`, rows of docs/performance.md.

Each command runs in a process of its own, whose main thread is looked at a hundred times a second. What is seen there,
libraries and programs included that it waits for, counts for the file of this project that called them.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

from bitexact_tests.bench.child import REPOSITORY, run

_PACKAGES = ("models", "emulator", "hls", "rtl", "training", "bitexact_tests")
_INTERVAL = 0.01
IMPORTS = "imports"

_CONFIGURATIONS = tuple(f"econ_t_{links}elink" for links in (2, 3, 4, 5))
_LAST = "{out}/econ_t_5elink"
_RUNS = tuple(word for name in _CONFIGURATIONS for word in ("--run", f"{{out}}/{name}"))
_INPUT = ("--input", f"{_LAST}/test.csv")
_EPOCH = ("--epochs", "1", "--set", "training.final_fraction=0")

Words = tuple[str, ...]
COMMANDS: dict[str, tuple[Words, ...]] = {
    "main job: four trainings": tuple(
        ("training", "train", "--config", name, "--set", "data.layers=[5,7,9,11,13]", "--output", f"{{out}}/{name}")
        for name in _CONFIGURATIONS),
    "main job: C++ of four encoders": tuple(
        ("hls", "convert", "--config", name, "--weights", f"{{out}}/{name}/weights.npz", "--backend", "catapult",
         "--backend", "vitis", "--output", f"{{out}}/{name}/hls_{{backend}}") for name in _CONFIGURATIONS),
    "main job: emulator against csim": tuple(
        ("bitexact_tests", "compare", "--config", name, "--weights", f"{{out}}/{name}/weights.npz", *_INPUT,
         "--backend", "catapult", "--backend", "vitis", "--json", f"{{out}}/{name}/compare.json")
        for name in _CONFIGURATIONS),
    "main job: evaluate": tuple(
        ("training", "evaluate", "--weights", f"{{out}}/{name}/weights.npz", "--decoder", f"{{out}}/{name}",
         "--input", f"{{out}}/{name}/test.csv", "--json", f"{{out}}/{name}/metrics.json")
        for name in _CONFIGURATIONS),
    "main job: compare": (
        ("training", "compare", *_RUNS, "--shipped", *_INPUT, "--n-modules", "2000",
         "--json", f"{_LAST}/physics.json"),),
    "main job: distill": (
        ("training", "distill", "--run", _LAST, "--macs", "3000", "--epochs", "12", "--output", f"{_LAST}/compact"),),
    "main job: size": (("training", "size", "--run", _LAST, "--json", f"{_LAST}/size.json"),),
    "main job: report": (("training", "report", "--config", "econ_t_5elink", "--run", _LAST),),
    "train, plain": (
        ("training", "train", "--config", "qkeras_5elink", *_EPOCH, "--output", "{out}/plain"),),
    "train, chip arithmetic": (
        ("training", "train", "--config", "econ_t_5elink", *_EPOCH, "--output", "{out}/chip"),),
    "train, exact EMD": (
        ("training", "train", "--config", "econ_t_5elink", "--epochs", "1", "--set", "training.final_fraction=1",
         "--output", "{out}/exact"),),
    "train, refining decoder": (
        ("training", "data", "generate", "--n-modules", "20000", "--output", "{out}/calq.csv"),
        ("training", "train", "--config", "configs/weights/econ_t_5elink.yaml", "--data", "{out}/calq.csv",
         "--set", "training.stages=[]", "--set", "training.epochs=1", "--set", "training.final_fraction=0",
         "--output", "{out}/refining"),),
    "compare, 5,000 modules": (
        ("training", "data", "generate", "--source", "toy", "--n-modules", "5000", "--output", "{out}/toy.csv"),
        ("training", "compare", "--shipped", "--input", "{out}/toy.csv", "--n-modules", "5000",
         "--json", "{out}/physics.json")),
    "data generate, 200 pile-up": (
        ("training", "data", "generate", "--events", "40", "--process", "ttbar", "--pile-up", "200",
         "--output", "{out}/events"),),
    "trigger, 200 pile-up": (
        ("training", "trigger", "run", "--system", "ae", "--system", "bc", "--sample", "electrons", "--pile-up", "200",
         "--events", "10", "--output", "{out}/trigger"),),
}
"""Commands of each row, without Python and `-m`, in the order in which they run in one folder."""


def place(frame: FrameType | None, ignored: Iterable[Path] = ()) -> str:
    """Innermost file of this project on a stack, as its path without `.py`; IMPORTS where that file imports another."""
    importing = False
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        importing |= frame.f_code.co_filename.startswith("<frozen importlib")
        if path.is_relative_to(REPOSITORY) and path not in ignored:
            parts = path.relative_to(REPOSITORY).with_suffix("").parts
            if parts[0] in _PACKAGES:
                return IMPORTS if importing or frame.f_code.co_name == "<module>" else "/".join(parts)
        frame = frame.f_back
    return IMPORTS if importing else "start"


def sampled(words: Words) -> Counter[str]:
    """Run `python -m WORDS` in this process: seconds of its main thread by place."""
    main, found, ended = threading.main_thread().ident, Counter[str](), threading.Event()

    def look() -> None:
        last = time.perf_counter()
        while not ended.wait(_INTERVAL):
            frame = sys._current_frames().get(main or 0)
            now = time.perf_counter()  # a long call of a library may have kept this thread waiting
            found[place(frame, (Path(__file__),))] += now - last  # type: ignore[assignment]
            last = now

    sys.argv = list(words)
    watch = threading.Thread(target=look, daemon=True)
    watch.start()
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            raise
    finally:
        ended.set()
        watch.join()
    return found


def row(name: str, commands: Iterable[Words], folder: Path) -> str:
    """Row of a Markdown table: wall and CPU time, and the places that took at least 5% of what was seen."""
    seconds = cpu_seconds = 0.0
    found: Counter[str] = Counter()
    for words in commands:
        note = folder / "where.json"
        given = [word.replace("{out}", str(folder)) for word in words]
        taken = run(["-m", "bitexact_tests.bench.where", "--sample", note, *given])
        seconds, cpu_seconds = seconds + taken.seconds, cpu_seconds + taken.cpu_seconds
        found.update(json.loads(note.read_text()))
    shares = [f"{where} {100 * part / found.total():.0f}%" for where, part in found.most_common()
              if part >= 0.05 * found.total()]
    return f"| {name} | {seconds:.1f} | {cpu_seconds:.1f} | {', '.join(shares)} |"


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] == ["--sample"]:
        Path(sys.argv[2]).write_text(json.dumps(sampled(tuple(sys.argv[3:]))))
        return
    parser = argparse.ArgumentParser(prog="bitexact_tests.bench.where", description=__doc__)
    parser.add_argument("rows", nargs="*", help=f"default: all of {', '.join(COMMANDS)}")
    chosen = parser.parse_args().rows or list(COMMANDS)
    sys.stdout.write("| what | s | CPU s | where |\n|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ECON_T_CACHE"] = f"{folder}/cache"  # everything is made anew
        for name in chosen:
            sys.stdout.write(row(name, COMMANDS[name], Path(folder)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
