"""Fuzzing with coverage as the guide: `python -m bitexact_tests.fuzz --seconds 60 [READER ...]`.

Every reader in turn in a process of its own, since libFuzzer ends the one that it runs in. Stops with 1 at the first
file that a reader neither reads nor refuses in one line, at 60 seconds for one file, or at 4 GB of memory; the bytes
that led there are kept as `crash-...`, and `--one READER crash-...` repeats the case.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

_LIMITS = ("-timeout=60", "-rss_limit_mb=4096", "-print_final_stats=1", "-verbosity=0", "-max_len=256")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="bitexact_tests.fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", help="names of readers, default all")
    parser.add_argument("--seconds", type=int, default=30, help="for each reader")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args()
    if options.one:
        _fuzz(options.one, [*options.readers, *rest])
    from bitexact_tests.fuzz.readers import catalogue

    for name in options.readers or catalogue():
        command = [sys.executable, "-m", "bitexact_tests.fuzz", "--one", name, f"-max_total_time={options.seconds}",
                   *_LIMITS, *rest]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        stats = dict(line.removeprefix("stat::").split(":", 1) for line in result.stderr.splitlines()
                     if line.startswith("stat::"))
        sys.stdout.write(f"{name}: {stats.get('number_of_executed_units', '?').strip()} files, peak "
                         f"{stats.get('peak_rss_mb', '?').strip()} MB, exit {result.returncode}\n")
        sys.stdout.flush()
        if result.returncode:
            sys.stderr.write(result.stdout[-6000:] + result.stderr[-2000:])
            return 1
    return 0


def _fuzz(name: str, arguments: list[str]) -> None:
    import atheris

    with atheris.instrument_imports(include=["models", "emulator", "hls", "rtl", "training", "yaml", "uproot"]):
        from bitexact_tests.fuzz.readers import catalogue

        reader = catalogue()[name]
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / f"mutated{reader.suffix}"

    def run(data: bytes) -> None:
        numbers = atheris.FuzzedDataProvider(data)
        if reader.mutate(path, lambda n: numbers.ConsumeIntInRange(0, n - 1)):
            reader.check(path)

    atheris.Setup([sys.argv[0], *arguments], run)
    atheris.Fuzz()


if __name__ == "__main__":
    raise SystemExit(main())
