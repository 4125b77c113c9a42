"""Largest memory of the commands that read or write many modules: `make bench-memory`.

Each command runs in a process of its own on generated files; prints rows of docs/performance.md. Times are of one run,
and grow with what else the machine does; memory does not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bitexact_tests.bench.child import Taken, run

_ENCODE = ("--weights", "{data}/weights.npz", "--input", "{data}/calq.parquet")
_SETS = tuple(word for links in (2, 3, 4, 5) for word in ("--weights", f"econ_t_{links}elink"))
COMMANDS: dict[str, tuple[int, tuple[str, ...]]] = {
    "data generate --source toy": (10**7, ("training", "data", "generate", "--source", "toy", "--n-modules", "{n}",
                                           "--output", "{out}/toy.parquet")),
    "data split": (10**7, ("training", "data", "split", "{data}/calq.parquet", "--format", "parquet", "--output",
                           "{out}/split")),
    "data double": (10**7, ("training", "data", "double", "{data}/calq.parquet", "--format", "parquet", "--output",
                            "{out}/double")),
    "data shuffle": (10**7, ("training", "data", "shuffle", "{data}/calq.parquet", "--output",
                             "{out}/shuffled.parquet")),
    "encode": (10**7, ("emulator", "encode", *_ENCODE, "--output", "{out}/latent.parquet")),
    "encode --per-module": (10**7, ("emulator", "encode", "--per-module", *_SETS, *_ENCODE[2:], "--output",
                                    "{out}/latents.parquet")),
    "csim --backend catapult": (10**7, ("hls", "csim", *_ENCODE, "--backend", "catapult", "--output",
                                        "{out}/csim.parquet")),
    "chip": (10**7, ("emulator", "chip", "--registers", "{data}/init.yaml", "--input", "{data}/erx.csv", "--output",
                     "{out}/etx.csv")),
    "check --backend catapult": (10**5, ("bitexact_tests", "compare", *_ENCODE, "--backend", "catapult")),
    "compare": (10**4, ("training", "compare", "--shipped", "--input", "{data}/calq.parquet", "--n-modules", "{n}",
                        "--json", "{out}/physics.json")),
    "evaluate": (10**6, ("training", "evaluate", "--weights", "econ_t_5elink", "--input", "{data}/calq.parquet")),
    "train, one epoch": (10**6, ("training", "train", "--config", "econ_t_5elink", "--data", "{data}/calq.parquet",
                                 "--epochs", "1", "--set", "training.final_fraction=0", "--output", "{out}/run")),
}
"""Most modules that each is measured with, and its words."""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="bitexact_tests.bench.memory", description=__doc__)
    parser.add_argument("commands", nargs="*", help=f"default: all of {', '.join(COMMANDS)}")
    parser.add_argument("--modules", type=int, nargs="+", default=[10**6, 10**7], help="as many, or what each can")
    options = parser.parse_args()
    chosen = options.commands or list(COMMANDS)
    sys.stdout.write("| command | modules | peak MiB | CPU s | s |\n|---|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as data:  # the compiler takes more than what it compiles, once
        run(["-m", "bitexact_tests.bench.inputs", data, "100"])
        for name in chosen:
            if "--backend" in name:
                taken(name, 100, Path(data))
    sizes = {name: sorted({min(n, COMMANDS[name][0]) for n in options.modules}) for name in chosen}
    for n in sorted({n for ns in sizes.values() for n in ns}):
        with tempfile.TemporaryDirectory() as data:
            run(["-m", "bitexact_tests.bench.inputs", data, str(n)])
            for name in chosen:
                if n in sizes[name]:
                    found = taken(name, n, Path(data))
                    sys.stdout.write(f"| `{name}` | {n:,} | {found.peak_mib:,.0f} | {found.cpu_seconds:.0f} | "
                                     f"{found.seconds:.0f} |\n")
                    sys.stdout.flush()


def taken(name: str, n_modules: int, data: Path) -> Taken:
    """What one command takes."""
    with tempfile.TemporaryDirectory() as out:
        return run(["-m", *(word.format(n=n_modules, data=data, out=out) for word in COMMANDS[name][1])])


if __name__ == "__main__":
    main()
