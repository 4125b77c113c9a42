"""The two styles of figures, and figures as inline SVG.

A figure is drawn by a function that takes a result and returns a matplotlib Figure, in the style in effect at the call;
it does not write any file.
"""

from __future__ import annotations

import io
import re
from contextlib import AbstractContextManager
from html import escape
from typing import Any, Literal

import matplotlib as mpl
from cycler import cycler
from matplotlib.artist import Artist
from matplotlib.figure import Figure

Style = Literal["page", "experiment"]

_TIP = "tip:"
_INK = "#010203"  # a colour not used otherwise: the page replaces it by the reader's text colour
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""Okabe-Ito palette: distinguishable with any colour vision, on a light and on a dark background."""

_PAGE: Any = {
    "text.color": _INK, "axes.edgecolor": _INK, "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
    "axes.prop_cycle": cycler(color=COLOURS), "axes.grid": True, "grid.alpha": 0.25, "grid.color": "#808080",
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none", "legend.frameon": False,
    "legend.fontsize": 9, "font.size": 11, "svg.fonttype": "none", "svg.hashsalt": "report", "axes.spines.top": False,
    "axes.spines.right": False, "figure.constrained_layout.use": True,
}


def style(name: Style = "page") -> AbstractContextManager[None]:
    """Context of a style, which leaves the global settings alone: for the page, or as experiments publish (mplhep)."""
    context: AbstractContextManager[None] = mpl.rc_context(_PAGE if name == "page" else _experiment())
    return context


def _experiment() -> Any:
    import mplhep  # noqa: PLC0415  (takes a second, and the page does without)

    # The style is made for 10-inch figures with 26-point letters; ours are half as large.
    halved = {f"{axis}tick.{which}.size": mplhep.style.CMS[f"{axis}tick.{which}.size"] / 2
              for axis in "xy" for which in ("major", "minor")}
    return {**mplhep.style.CMS, **halved, "font.size": 11, "axes.linewidth": 1, "figure.constrained_layout.use": True,
            "axes.prop_cycle": cycler(color=COLOURS), "savefig.facecolor": "white"}


def ink() -> Any:
    """Text colour of the style in effect."""
    return mpl.rcParams["text.color"]


def tip(artist: Artist, text: str) -> None:
    """Show a text when the pointer is on an artist of an inline SVG."""
    artist.set_gid(_TIP + text)


def as_svg(figure: Figure, text: str, name: str = "figure") -> str:
    """Convert a figure to an inline SVG element in the text colour of the page.

    text: what it shows, for those who do not see it; name: unique on the page, the beginning of all its ids. Ids that
    nothing refers to are left out.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL).replace(
        _INK, "currentColor")
    svg = re.sub(rf'<g id="{_TIP}([^"]*)">', r"<g><title>\1</title>", svg)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(text, quote=True)}" ', 1)
