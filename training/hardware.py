"""The hardware table of a run: what each implementation of its configuration takes, beside the published chip.

It reads what other commands wrote into the folder of the run and measures nothing itself. A row that is not there names
the command that makes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hls.report import BX_NS, CHIP, Implementation, counted_figures, implementations
from models.config import Config
from models.errors import InputError, parsing

_TECHNOLOGY = {"gates": "NAND2 gates", "xc7": "Xilinx 7 series", "xcup": "Xilinx UltraScale+", "ecp5": "Lattice ECP5"}
_ASKED_FOR = ("gates", "xc7")  # rows that are shown as absent; the other technologies appear once they are made
_PARALLEL = {"latency_clocks": 4, "interval_clocks": 1, "clock_ns": BX_NS}
"""Encoder and formatter, 2 BX each; a file of another architecture names its own."""


def hardware(config: Config, run: Path) -> dict[str, Any]:
    """All of the table as plain JSON; raises InputError for a file that cannot be read."""
    projects = {path.name.removeprefix("hls_"): path for path in run.glob("hls_*")}
    rows = [CHIP, *_rtl_rows(run), *_constant_rows(run), *implementations(projects)]
    return {
        "counted": [vars(figure) for figure in counted_figures(config)],
        "implementations": [row.to_json() for row in rows],
        "pareto": read_json(run / "pareto" / "pareto.json", ("points", "epochs", "tool"), optional=True),
    }


def _rtl_rows(run: Path) -> Iterable[Implementation]:
    for technology, title in _TECHNOLOGY.items():
        files = sorted(run.glob(f"rtl_{technology}*.json"))
        for path in files:
            yield rtl_row(path, title)
        if not files and technology in _ASKED_FOR:
            yield Implementation(f"RTL in {title}", f"not run: make rtl-synth TECHNOLOGY={technology}")


def rtl_row(path: Path, title: str) -> Implementation:
    """The row of one file of `python -m rtl synth`."""
    content = read_json(path, ("technology", "tool", "blocks", "total"))
    clocks = {name: content.get(name, value) for name, value in _PARALLEL.items()}
    total = content["total"]
    deepest = max(content["blocks"], key=lambda row: row["levels"])
    kind = path.stem.removeprefix(f"rtl_{content['technology']}").strip("_").replace("_", " ")
    delay = content.get("critical_path_ns")
    return Implementation(
        f"RTL{' ' * bool(kind)}{kind} in {title}",
        f"{content['tool']}, before placement; at most {deepest['levels']} levels in a block ({deepest['block']})",
        lut=total.get("lut"), ff=total.get("ff"), nand2=total.get("nand2"),
        dsp=0 if "lut" in total else None, bram=0 if "lut" in total else None,  # the passes use neither
        latency_cycles=clocks["latency_clocks"], interval_cycles=clocks["interval_clocks"],
        clock_ns=clocks["clock_ns"], fmax_mhz=1000 / delay if delay else None)


def _constant_rows(run: Path) -> Iterable[Implementation]:
    path = run / "constant" / "constant.json"
    if not path.exists():
        yield Implementation("RTL, these weights as constants", "not run: make rtl-constant")
        return
    content = read_json(path, ("implementations",))
    for row in content["implementations"]:
        yield Implementation(**row)


def read_json(path: Path, keys: Sequence[str] = (), optional: bool = False) -> dict[str, Any]:
    """A JSON object that has the given keys, or an empty one for an optional file that is not there.

    Raises InputError for any other content.
    """
    if optional and not path.exists():
        return {}
    with parsing(path, "JSON"):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}, expected an object")
    missing = next((key for key in keys if key not in content), None)
    if missing:
        raise InputError(f"{path}: key {missing} is missing, expected {', '.join(keys)}")
    return content
