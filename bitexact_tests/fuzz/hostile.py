"""Small files that claim to be, or unpack to, far more than they are; read one after the other in little memory."""

from __future__ import annotations

import gzip
import json
import resource
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pa_parquet

from bitexact_tests.fuzz.readers import catalogue
from models.calq_io import CALQ_COLUMNS

_BIG = 64 << 20


def _zeros(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("conv_kernel.npy", bytes(_BIG))


def _claims_elements(path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,), }"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conv_kernel.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


def _laughs(path: Path) -> None:
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    path.write_text("\n".join(["a0: &a0 [x]", *levels]), encoding="utf-8")


def _many_rows(path: Path) -> None:
    pa_parquet.write_table(pa.table({"CALQ_0": pa.nulls((1 << 25) + 1, pa.uint32())}), path)


def _one_line(header: str = "", opener: Callable[..., object] = open) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with opener(path, "wb") as file:  # type: ignore[attr-defined]
            file.write(header.encode())
            for _ in range(_BIG >> 23):
                file.write(b"1," * (1 << 22))

    return write


def _text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content, encoding="utf-8")


HOSTILE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "npz of zeros": ("weights", _zeros),
    "npz that claims elements": ("weights", _claims_elements),
    "yaml of aliases": ("config", _laughs),
    "yaml nested deep": ("config", _text("[" * 100_000)),
    "yaml nested deep in blocks": ("farm", _text("".join(" " * i + "- \n" for i in range(1200)))),
    "yaml of 2 MiB": ("registers", _text("a: b\n" * (1 << 19))),
    "result nested deep": ("result", _text('{"a":' * 100_000)),
    "result of digits": ("result", _text('{"fold": ' + "9" * 5000 + "}")),
    "json nested deep": ("json", _text('{"a":' * 100_000)),
    "json of digits": ("json", _text('{"loss": ' + "9" * 5000 + "}")),
    "parquet of many rows": ("calq_parquet", _many_rows),
    "csv of one line": ("calq_csv", _one_line()),
    "csv of one row": ("calq_csv", _one_line(",".join(CALQ_COLUMNS) + "\n")),
    "csv of one row, packed": ("calq_gzip", _one_line(",".join(CALQ_COLUMNS) + "\n", gzip.open)),
    "stream of one row": ("stream_csv", _one_line(",".join(CALQ_COLUMNS) + "\n")),
    "module list of one line": ("module_list", _one_line("Layer,ModU,ModV,ECONT_eTX\n")),
    "module list of many columns": ("module_list", _text("1," * (1 << 20))),
    "link words of one line": ("erx", _one_line(",".join(f"RX_DATA_{i}" for i in range(12)) + "\n")),
}


def peaks(folder: Path) -> dict[str, tuple[bool, int]]:
    """For every hostile file whether it was read as good, and by how many MB this process was larger than before."""
    found = {}
    for name, (reader_name, write) in HOSTILE.items():
        reader = catalogue()[reader_name]
        path = folder / f"hostile{reader.suffix}"
        write(path)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        good = reader.check(path)
        found[name] = good, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
        path.unlink()
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(peaks(Path(sys.argv[1])), indent=1) + "\n")
