"""The hardware table of a run: what each implementation of its configuration takes, beside the published chip.

It reads what other commands wrote into the folder of the run and measures nothing itself. A row that is not there names
the command that makes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hls.report import BX_NS, CHIP, Implementation, counted_figures, implementations
from models.config import Config
from models.errors import InputError
from models.weights import EncoderWeights
from training.results import Constant, Pareto, Rtl, read_as

_TECHNOLOGY = {"gates": "NAND2 gates", "osu018": "180 nm cells", "xc7": "Xilinx 7 series",
               "xcup": "Xilinx UltraScale+", "ecp5": "Lattice ECP5"}
_ASKED_FOR = ("gates", "xc7")  # rows that are shown as absent; the other technologies appear once they are made
LEVEL_NS = {"xc7": 18.5 / 61}
"""Of a level through cells alone: Yosys' `sta` finds 18.5 ns for the flat parallel design, whose longest path has 61
levels. `sta` prints two lines per cell of a path, the cell and its net."""


def hardware(config: Config, run: Path) -> dict[str, Any]:
    """All of the table as plain JSON; raises InputError for a file that cannot be read, or is of another spec."""
    projects = {path.name.removeprefix("hls_"): path for path in run.glob("hls_*")}
    rows = [CHIP, *_rtl_rows(config, run), *_constant_rows(config, run), *implementations(projects, config)]
    return {
        "counted": [vars(figure) for figure in counted_figures(config)],
        "implementations": [row.to_json() for row in rows],
        "pareto": _pareto(config, run / "pareto" / "pareto.json"),
    }


def _check_spec(config: Config, path: Path, content: Mapping[str, Any], command: str) -> None:
    """Raises InputError for what was made from another spec, or does not say from which."""
    found, expected = content.get("digest", "not given"), config.encoder.digest()
    if found != expected:
        raise InputError(f"{path}: spec {found}, expected {expected}: run {command} again")


def _pareto(config: Config, path: Path) -> dict[str, Any]:
    content = read_as(path, Pareto, optional=True)
    if content:
        own = next((point for point in content["points"] if point.get("own")), {})
        _check_spec(config, path, own, "make pareto")
    return content


def _rtl_rows(config: Config, run: Path) -> Iterable[Implementation]:
    for technology, title in _TECHNOLOGY.items():
        files = sorted(run.glob(f"rtl_{technology}*.json"))
        for path in files:
            yield rtl_row(config, path, title)
        if not files and technology in _ASKED_FOR:
            yield Implementation(f"RTL in {title}", f"not run: make rtl-synth TECHNOLOGY={technology}")


def rtl_row(config: Config, path: Path, title: str) -> Implementation:
    """The row of one file of `python -m rtl synth`; raises InputError for one of another spec."""
    content = read_as(path, Rtl)
    _check_spec(config, path, content, "make rtl-synth")
    total, level_ns = content["total"], LEVEL_NS.get(content["technology"])
    fpga = "lut" in total
    kind = f"folded, N = {content['fold']}" if content["fold"] > 1 else "parallel"
    registers = ", registers in three copies" if content["redundant"] else ""
    fmax = f"; fmax by {level_ns:.3f} ns a level, cells alone" if level_ns else ""
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
    content = read_as(folder / "constant.json", Constant)
    _check_spec(config, folder / "constant.json", content, "make rtl-constant")
    own, made_from = (EncoderWeights.load(path / "weights.npz", config.encoder) for path in (run, folder))
    if own.digest() != made_from.digest():
        return [replace(absent, tool="made from other weights than those of this run: make rtl-constant")]
    return Constant.model_validate(content).implementations
