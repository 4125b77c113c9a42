"""Interactive parts of the page: their data, their programs, and the library that draws them.

Plots are drawn in the browser by Vega-Lite. Of the libraries that fit into a page without network it is the one with
which curves, histograms and wafers are all short descriptions in one language; it draws SVG, whose text follows the
theme of the page and which can be saved as it is; and it takes 0.9 MB, a fifth of Plotly. vl-convert-python, by the
makers of Altair, brings the versions that fit together, so that nothing is downloaded and no copy is kept here.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from contextlib import suppress
from importlib import resources
from importlib.metadata import version
from typing import Any

import vl_convert

from hls.cache import cache_root
from models.files import write_text
from models.trigger_cells import IMAGE_TO_TC
from training.figures.comparison import ALGORITHM_COLOURS
from training.figures.style import COLOURS
from training.figures.wafer import outlines
from training.results.comparison import Comparison
from training.results.run import History

_SHAPES = {"AE": "circle", "BC": "square", "STC": "triangle-up", "TS": "diamond", "RPT": "triangle-down"}
_ENCODER_COLOURS = (COLOURS[0], COLOURS[5], "#8b5fd3", "#8a8a2e", "#b8487f", "#2f8f80", "#a0522d", "#7a7a7a")
"""Lines and points of them have a contrast of at least 3 with the ground, light or dark."""
_PROGRAMS = ("download.js", "tables.js", "plots.js", "curves.js", "wafers.js", "start.js")


def style_sheet() -> str:
    """Rules for the parts that the programs make."""
    return _browser_file("page.css")


def programs() -> str:
    """Whatever the page runs except the library, in order."""
    return _inline("\n".join(_browser_file(name) for name in _PROGRAMS))


@functools.cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script; made within two seconds, then kept beside compiled projects."""
    path = cache_root() / f"vega-{version('vl-convert-python')}.js"
    if path.exists():
        return _inline(path.read_text(encoding="utf-8"))
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    with suppress(OSError):  # a report needs no cache
        write_text(path, script)
    return _inline(script)


def explorer_data(physics: Comparison | None, histories: Mapping[str, History], own_links: int = 0) -> dict[str, Any]:
    """Data of all explorers: a comparison, which begins on `own_links`, and the learning curves of runs by name."""
    return {
        "own_links": own_links if not physics or own_links in physics.budgets else physics.budgets[-1],
        "histories": {name: history.model_dump(mode="json") for name, history in histories.items()},
        "physics": _physics(physics) if physics else None,
        "colours": ALGORITHM_COLOURS, "encoder_colours": _ENCODER_COLOURS, "shapes": _SHAPES,
        "outlines": [[*ring, ring[0]] for ring in (corners.round(2).tolist() for corners in outlines())],
        "image": IMAGE_TO_TC.tolist(),
    }


def as_json(data: Mapping[str, Any]) -> str:
    """JSON that may stand in a script element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _physics(physics: Comparison) -> dict[str, Any]:
    found = physics.model_dump(mode="json", exclude={"displays", "weights"})
    sample = found["sample"]
    for reception in sample["receptions"] if sample else ():
        reception["charge"] = [[_short(value) for value in charge] for charge in reception["charge"]]
    return found


def _short(value: float) -> float | int:
    """1 instead of 1.0, which saves a third of the page's data."""
    return int(value) if value == int(value) else value


def _browser_file(name: str) -> str:
    return (resources.files("training.report") / "browser" / name).read_text(encoding="utf-8")


def _inline(script: str) -> str:
    """A script that cannot end its element early."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
