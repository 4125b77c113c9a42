"""Figure of compact decoders: mean EMD vs. multiply-accumulates, and vs. look-up tables."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from training.figures.style import COLOURS
from training.results.distillation import CompactPoint, Distillation

_SERIES = (("da4ml", "counted by da4ml", "o"), ("Yosys", "mapped by Yosys, Xilinx 7 series", "s"))


def emd_against_cost(result: Distillation) -> Figure:
    """Draw the decoders of a result; the second panel is there if any of them was made into RTL.

    Decoders without an EMD are left out.
    """
    points = [one for one in result.points if one.metrics.emd_mean is not None]
    measured = {label: [(lut, one) for one in points if (lut := one.luts(tool)) is not None]
                for tool, label, _ in _SERIES}
    n_panels = 2 if any(measured.values()) else 1
    figure = Figure(figsize=(3.9 * n_panels + 0.4, 3.9))
    axes = figure.subplots(1, n_panels, sharey=True, squeeze=False)[0]
    _draw(axes[0], [(one.macs, one) for one in points], "integers, weights constant", "o", COLOURS[0])
    if result.teacher.metrics.emd_mean is not None:
        axes[0].plot([result.teacher.macs], [result.teacher.metrics.emd_mean], marker="*", markersize=12,
                     color=COLOURS[5], linestyle="", label="teacher, floating point")
    axes[0].set_xlabel("multiply-accumulates")
    axes[0].set_ylabel("mean EMD [sensor-cell pitches]")
    for (_, label, marker), colour in zip(_SERIES, COLOURS[1:], strict=False):
        if measured[label]:
            _draw(axes[1], measured[label], label, marker, colour)
            axes[1].set_xlabel("look-up tables")
    for one in axes:
        one.set_xscale("log")
        one.legend()
    return figure


def _draw(axes: Any, places: list[tuple[int, CompactPoint]], label: str, marker: str, colour: str) -> None:
    places = sorted(places, key=lambda place: place[0])
    axes.plot([x for x, _ in places], [one.metrics.emd_mean for _, one in places], marker=marker, color=colour,
              linestyle=":", label=label)
    for x, one in places:
        axes.annotate(one.name.removeprefix("compact_"), (x, one.metrics.emd_mean), (5, 4),
                      textcoords="offset points", color=colour)
