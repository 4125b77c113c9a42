"""Figures of a trigger study: resolution, efficiency, rates, identification, and one event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.figures.style import COLOURS, ink, tip
from training.results.trigger import COLLISIONS_KHZ, Binned, EventDisplay, TriggerStudy

_MARKERS = "os^Dv<>P"
_ROC_FROM = 0.5
_TITLES = {"pt": "generated transverse momentum [GeV]", "eta": "|η|"}


def resolution(study: TriggerStudy, sample: str, coordinate: str) -> Figure:
    """Draw the effective resolution of each system vs. `pt` or `eta`."""
    figure, axes = _axes()
    for number, system in enumerate(study.systems):
        found = system.on(sample).objects
        if found is not None:
            _curve(axes, number, system.name, found.binned(coordinate))
    axes.set(xlabel=_TITLES[coordinate], ylabel="effective resolution")
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure


def turn_on(study: TriggerStudy, sample: str) -> Figure:
    """Draw efficiency vs. generated momentum at the lowest rate that was measured."""
    figure, axes = _axes()
    rate = None
    for number, system in enumerate(study.systems):
        points = system.on(sample).working_points
        if points:
            rate = points[-1].rate
            threshold = points[-1].threshold.value
            if threshold is not None:
                _curve(axes, number, f"{system.name}, {threshold:.0f} GeV", points[-1].turn_on)
    axes.set(xlabel=_TITLES["pt"], ylabel=f"efficiency at {rate:.0%} of the bunch crossings" if rate else "efficiency",
             ylim=(0, 1.05))
    axes.legend()
    return figure


def rates(study: TriggerStudy, sample: str) -> Figure:
    """Draw the rate of ordinary bunch crossings vs. the threshold."""
    figure, axes = _axes()
    for number, system in enumerate(study.systems):
        found = system.on(sample).rates
        if found is None:
            continue
        x, y, error = _arrays(found.thresholds, [(one.value, one.error) for one in found.rates])
        there = y > 0
        axes.errorbar(x[there], y[there] * COLLISIONS_KHZ, error[there] * COLLISIONS_KHZ, **_look(number),
                      label=system.name)
        _tips(axes, x[there], y[there] * COLLISIONS_KHZ, number, f"{system.name}: above {{x:g}} GeV {{y:,.0f}} kHz")
    axes.set(xlabel="threshold on the calibrated transverse momentum [GeV]", ylabel="rate [kHz]", yscale="log")
    axes.legend()
    return figure


def roc(study: TriggerStudy, sample: str) -> Figure:
    """Draw the share of pile-up clusters that pass vs. the efficiency."""
    figure, axes = _axes()
    for number, system in enumerate(study.systems):
        found = system.on(sample).identification
        if found is not None:
            axes.plot(found.signal, found.background, color=COLOURS[number % len(COLOURS)],
                      label=f"{system.name}: area {found.area}")
            x, y = np.array(found.signal), np.array(found.background)
            shown = x >= _ROC_FROM
            _tips(axes, x[shown], y[shown], number, f"{system.name}: {{y:.3f}} of the pile-up at {{x:.3f}}")
    axes.set(xlabel=f"share of {sample} that pass", ylabel="share of pile-up clusters that pass", xlim=(_ROC_FROM, 1.0),
             yscale="symlog")
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set_ylim(0, 1.4)  # the label of 1 needs room above it
    axes.legend()
    return figure


def event(display: EventDisplay) -> Figure:
    """Draw one endcap of an event, one panel for each system: charge, clusters and generated particles."""
    n = len(display.systems)
    columns = min(n, 2)
    figure = Figure(figsize=(4.6 * columns, 4.4 * -(-n // columns)))
    largest = max((max(one.charge, default=1.0) for one in display.systems), default=1.0)
    for number, one in enumerate(display.systems):
        axes = figure.add_subplot(-(-n // columns), columns, number + 1)
        charge = np.array(one.charge)
        drawn = axes.scatter(one.x, one.y, s=9.0, marker="s", linewidths=0, cmap="viridis", vmin=0,
                             c=np.sqrt(charge) if len(charge) else [], vmax=np.sqrt(largest), rasterized=True)
        for x, y, pt in one.clusters:
            (circle,) = axes.plot(x, y, "o", markersize=9, markerfacecolor="none", color=COLOURS[5])
            tip(circle, f"{one.system}: cluster of {pt:.1f} GeV")
        for x, y, pt in display.truth:
            (cross,) = axes.plot(x, y, "+", markersize=12, color=ink())
            tip(cross, f"generated: {pt:.1f} GeV")
        axes.set(title=one.system, xlabel="x/z", ylabel="y/z", aspect="equal", xlim=(-0.5, 0.5), ylim=(-0.5, 0.5))
        axes.grid(visible=False)
    figure.colorbar(drawn, ax=figure.axes, label="square root of the charge [transverse MIP]", shrink=0.7)
    return figure


def _axes() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.4, 3.9))
    return figure, figure.add_subplot()


def _look(number: int) -> dict[str, Any]:
    return {"color": COLOURS[number % len(COLOURS)], "marker": _MARKERS[number % len(_MARKERS)], "markersize": 5,
            "linewidth": 1.0, "capsize": 2}


def _arrays(
    x: Sequence[float], values: Sequence[tuple[float | None, float | None]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, error = (np.array([one[i] for one in values], dtype=np.float64) for i in (0, 1))
    there = np.isfinite(y)
    return np.array(x)[there], y[there], np.nan_to_num(error[there])


def _curve(axes: Axes, number: int, label: str, binned: Binned) -> None:
    x, y, error = _arrays(binned.middles, [(one.value, one.error) for one in binned.values])
    look = _look(number)
    axes.errorbar(x, y, error, label=label, **look)
    unit = " GeV" if binned.coordinate == "pt" else ""
    _tips(axes, x, y, number, f"{label}: {{y:.3f}} at {{x:g}}{unit}")


def _tips(axes: Axes, x: np.ndarray, y: np.ndarray, number: int, text: str) -> None:
    """Points that show a text under the pointer."""
    for one_x, one_y in zip(x.tolist(), y.tolist(), strict=True):
        (point,) = axes.plot(one_x, one_y, _MARKERS[number % len(_MARKERS)], markersize=8, alpha=0.01,
                             color=COLOURS[number % len(COLOURS)])
        tip(point, text.format(x=one_x, y=one_y))
