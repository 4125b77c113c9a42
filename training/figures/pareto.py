"""Figure of a scan over bit widths."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from models.arrays import Float64Array
from training.figures.style import COLOURS, ink
from training.results.pareto import ParetoPoint, ParetoScan


def area_against_emd(scan: ParetoScan) -> Figure:
    """Draw mean EMD vs. gates, with weight widths and input widths as two series that cross at the configuration.

    Points without an EMD are left out.

    Examples:
        >>> from training.figures import area_against_emd
        >>> from training.results.pareto import ParetoPoint, ParetoScan
        >>> points = [
        ...     ParetoPoint(name=f"{bits} bits", weight_bits=bits, input_bits=8, digest="", own=bits == 6, ff=20_000,
        ...                 nand2=bits * 200_000, emd_mean=2 - bits / 10, emd_median=1.0, n_modules=500)
        ...     for bits in (4, 5, 6)]
        >>> figure = area_against_emd(ParetoScan(config="econ_t_5elink", epochs=20, tool="Yosys", points=tuple(points)))
        >>> figure.axes[0].get_xlabel()
        'area of the whole block [million NAND2]'
    """
    figure = Figure(figsize=(7.6, 4.4))
    axes = figure.add_subplot()
    points = [one for one in scan.points if one.emd_mean is not None]
    own, best = scan.own, scan.front()
    axes.step(*_places(best), where="post", color=ink(), linewidth=0.8, alpha=0.6)

    def draw(row: list[ParetoPoint], bits: list[int], label: str, marker: str, colour: str) -> None:
        if len(row) <= 1:
            return
        area, emd = _places(row)
        axes.plot(area, emd, marker=marker, color=colour, linestyle=":", linewidth=0.8, label=label)
        for one, n_bits, x, y in zip(row, bits, area, emd, strict=True):
            if one is not own:
                axes.annotate(str(n_bits), (x, y), (5, 4), textcoords="offset points")

    row = sorted((one for one in points if one.input_bits == own.input_bits), key=lambda one: one.weight_bits)
    draw(row, [one.weight_bits for one in row], f"varying weight bits, {own.input_bits} input bits", "o", COLOURS[0])
    row = sorted((one for one in points if one.weight_bits == own.weight_bits), key=lambda one: one.input_bits)
    draw(row, [one.input_bits for one in row], f"varying input bits, {own.weight_bits} weight bits", "s", COLOURS[1])
    axes.plot(*_places([own]), marker="*", markersize=14, color=COLOURS[5], linestyle="",
              label=f"{scan.config}: {own.name}")
    axes.set_xlabel("area of the whole block [million NAND2]")
    axes.set_ylabel("mean EMD [sensor-cell pitches]")
    axes.legend()
    return figure


def _places(points: list[ParetoPoint]) -> tuple[Float64Array, Float64Array]:
    """Coordinates of points: millions of NAND2 and mean EMD, NaN if absent."""
    return (np.array([one.nand2 / 1e6 for one in points]),
            np.array([one.emd_mean for one in points], dtype=np.float64))
