"""The hardware table of a run: what each implementation of its configuration takes, beside the published chip.

It reads what other commands wrote into the folder of the run and measures nothing itself. A row that is not there names
the command that makes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hls.report import BX_NS, CHIP, Implementation, counted_figures, implementations
from models.config import Config
from models.errors import InputError, parsing
from models.weights import EncoderWeights

_TECHNOLOGY = {"gates": "NAND2 gates", "osu018": "180 nm cells", "xc7": "Xilinx 7 series",
               "xcup": "Xilinx UltraScale+", "ecp5": "Lattice ECP5"}
_ASKED_FOR = ("gates", "xc7")  # rows that are shown as absent; the other technologies appear once they are made
_LEVEL_NS = {"xc7": 0.153}
"""Of a level through cells alone: Yosys' `sta` on the flat parallel design found 18.5 ns for a path of 121 levels."""


def hardware(config: Config, run: Path) -> dict[str, Any]:
    """All of the table as plain JSON; raises InputError for a file that cannot be read."""
    projects = {path.name.removeprefix("hls_"): path for path in run.glob("hls_*")}
    rows = [CHIP, *_rtl_rows(run), *_constant_rows(config, run), *implementations(projects)]
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
    content = read_json(path, ("technology", "tool", "total", "fold", "interval_clocks", "latency_clocks", "redundant",
                               "levels"))
    total, level_ns = content["total"], _LEVEL_NS.get(content["technology"])
    fpga = "lut" in total
    kind = "folded" if content["fold"] > 1 else "parallel"
    registers = ", registers in three copies" if content["redundant"] else ""
    fmax = f"; fmax by {level_ns:g} ns a level, cells alone" if level_ns else ""
    return Implementation(
        f"RTL, {kind}{registers}, in {title}",
        f"{content['tool']}, before placement; {content['levels']} levels on the longest path{fmax}",
        lut=total.get("lut"), ff=total.get("ff"), nand2=total.get("nand2"),
        dsp=0 if fpga else None, bram=0 if fpga else None,  # the passes use neither
        area=f"{total['area_um2'] / 1e6:.3g} mm2 of cells" if "area_um2" in total else "",
        latency_cycles=content["latency_clocks"], interval_cycles=content["interval_clocks"],
        clock_ns=BX_NS / content["interval_clocks"],  # what an event per bunch crossing needs
        fmax_mhz=1000 / (level_ns * content["levels"]) if level_ns else None)


def _constant_rows(config: Config, run: Path) -> Iterable[Implementation]:
    """Of `python -m rtl constant`, whose folder holds the weights that it was made from."""
    folder = run / "constant"
    absent = Implementation("RTL, these weights as constants", "not run: make rtl-constant")
    if not (folder / "constant.json").exists():
        return [absent]
    content = read_json(folder / "constant.json", ("digest", "implementations"))
    if content["digest"] != config.encoder.digest():
        raise InputError(f"{folder / 'constant.json'}: spec {content['digest']}, expected {config.encoder.digest()}")
    own, made_from = (EncoderWeights.load(path / "weights.npz", config.encoder) for path in (run, folder))
    if not np.array_equal(own.flat, made_from.flat):
        return [replace(absent, tool="made from other weights than those of this run: make rtl-constant")]
    return [Implementation(**row) for row in content["implementations"]]


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
