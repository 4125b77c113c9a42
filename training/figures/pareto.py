"""Figure of a scan over bit widths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from training.figures.style import COLOURS, ink


def front(points: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The points that no other beats in both area and EMD, by area; all have an EMD."""
    found: list[Mapping[str, Any]] = []
    for one in sorted(points, key=lambda point: (point["nand2"], point["emd_mean"])):
        if not found or one["emd_mean"] < found[-1]["emd_mean"]:
            found.append(one)
    return found


def area_against_emd(scan: Mapping[str, Any]) -> Figure:
    """Mean EMD against gates; weight widths and input widths are two series that cross at the configuration's own.

    Points without an EMD are left out.
    """
    figure = Figure(figsize=(7.6, 4.4))
    axes = figure.add_subplot()
    points = [one for one in scan["points"] if one["emd_mean"] is not None]
    best = front(points)
    axes.step([one["nand2"] / 1e6 for one in best], [one["emd_mean"] for one in best], where="post", color=ink(),
              linewidth=0.8, alpha=0.6)
    own = next(one for one in scan["points"] if one["own"])
    series = (("weights", "weight_bits", "input_bits", "o", COLOURS[0]),
              ("input", "input_bits", "weight_bits", "s", COLOURS[1]))
    for name, varied, kept, marker, colour in series:
        row = sorted((one for one in points if one[kept] == own[kept]), key=lambda one: one[varied])
        if len(row) < 2:
            continue
        axes.plot([one["nand2"] / 1e6 for one in row], [one["emd_mean"] for one in row], marker=marker, color=colour,
                  linestyle=":", linewidth=0.8, label=f"bits of {name} varied, {own[kept]} bits of "
                                                      f"{'input' if name == 'weights' else 'weights'}")
        for one in row:
            if one is not own:
                axes.annotate(str(one[varied]), (one["nand2"] / 1e6, one["emd_mean"]), (5, 4),
                              textcoords="offset points", color=colour)
    axes.plot([own["nand2"] / 1e6], [own["emd_mean"]], marker="*", markersize=14, color=COLOURS[5], linestyle="",
              label=f"{scan['config']}: {own['name']}")
    axes.set_xlabel("area of the whole block [million NAND2]")
    axes.set_ylabel("mean EMD [sensor-cell pitches]")
    axes.legend()
    return figure
