"""Figures of single-event upsets: location and number of the critical bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from models.spec import EncoderSpec
from training.figures.style import COLOURS, ink
from training.results.upsets import BitEffects, RegisterUpsets

_Known = tuple[RegisterUpsets, BitEffects]

_KINDS = {"weights": "weights, until rewritten", "settings": "mask and links, until rewritten",
          "pipeline": "pipeline, one crossing"}
_MOST_TICKS = 11


def critical_bits(bits: Sequence[RegisterUpsets], spec: EncoderSpec) -> Figure:
    """Draw the mean change of the EMD: by array and bit position, by weight of the dense layer, and ranked.

    Examples:
        >>> from models import EncoderSpec
        >>> from training.figures import critical_bits
        >>> from training.results.upsets import BitEffects, RegisterUpsets
        >>> zero, change = (0.0,) * 12288, tuple(bit % 6 / 10 for bit in range(12288))
        >>> effects = BitEffects(latent_changed=zero, code_difference=zero, frame_changed=zero, sum_changed=zero,
        ...                      emd_change=change)
        >>> dense = RegisterUpsets(name="dense_kernel", kind="weights", place=tuple(range(6)) * 2048, effects=effects)
        >>> critical_bits([dense], EncoderSpec.chip(5)).axes[0].get_xlabel()
        'bit of the code, 0 the lowest'
    """
    known = [(one, one.effects) for one in bits if one.effects]
    largest = max(max(effects.emd_change) for _, effects in known)
    norm = SymLogNorm(linthresh=max(largest, 1e-6) / 1000, vmin=0, vmax=max(largest, 1e-6))
    figure = Figure(figsize=(11, 8.4))
    grid = figure.add_gridspec(2, 2, height_ratios=[1.25, 1], width_ratios=[1.5, 1])
    _by_place(figure.add_subplot(grid[0, 0]), known, norm)
    _ranked(figure.add_subplot(grid[0, 1]), known)
    dense = next(entry for entry in known if entry[0].name == "dense_kernel")
    mesh = _dense_map(figure.add_subplot(grid[1, :]), *dense, spec, norm)
    figure.colorbar(mesh, ax=figure.axes, label="mean change of EMD [sensor-cell pitch]", shrink=0.8, pad=0.01)
    return figure


def _by_place(axes: Axes, known: list[_Known], norm: SymLogNorm) -> None:
    """Draw the mean over the codes of an array for each bit position; positions beyond its width stay empty."""
    n_places = max(max(one.place) for one, _ in known) + 1
    table = np.full((len(known), n_places), np.nan)
    for row, (one, effects) in enumerate(known):
        place = np.asarray(one.place)
        table[row, : place.max() + 1] = np.bincount(place, effects.emd_change) / np.bincount(place)
    axes.pcolormesh(np.clip(table, 0, None), cmap="viridis", norm=norm)
    step = 1 if n_places <= _MOST_TICKS else 4
    axes.set(xlabel="bit of the code, 0 the lowest", xticks=np.arange(0, n_places, step) + 0.5,
             xticklabels=range(0, n_places, step), yticks=np.arange(len(known)) + 0.5,
             yticklabels=[f"{one.name.split('.')[-1]} ({len(one.place):,})" for one, _ in known])
    axes.set_title("mean over all codes of an array or register", fontsize="small")
    axes.tick_params(which="both", length=0, labelsize="small")
    axes.minorticks_off()
    axes.grid(False)
    axes.invert_yaxis()


def _ranked(axes: Axes, known: list[_Known]) -> None:
    """Draw the change of the EMD vs. rank, separately for each kind of register."""
    for colour, (kind, label) in zip(COLOURS, _KINDS.items(), strict=False):
        values = [value for one, effects in known if one.kind == kind for value in effects.emd_change]
        if values:
            ranked = np.sort(values)[::-1]
            axes.plot(np.arange(1, len(ranked) + 1), ranked, color=colour, label=label)
    axes.axhline(0, color=ink(), linewidth=0.6)
    axes.set(xscale="log", xlabel="rank of the bit", ylabel="mean change of EMD [sensor-cell pitch]")
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    axes.legend(fontsize="small")


def _dense_map(
    axes: Axes, dense: RegisterUpsets, effects: BitEffects, spec: EncoderSpec, norm: SymLogNorm
) -> QuadMesh:
    """Draw the most critical bit of each weight of the dense layer, output vs. input."""
    width = max(dense.place) + 1
    worst = np.asarray(effects.emd_change).reshape(spec.dense.outputs, spec.n_hidden, width).max(axis=2)
    mesh = axes.pcolormesh(np.clip(worst, 0, None), cmap="viridis", norm=norm)
    axes.set(xlabel=f"input of the dense layer: {spec.conv.filters} x pixel + filter", ylabel="output",
             xticks=np.arange(0, spec.n_hidden + 1, spec.conv.filters))
    axes.set_title("most critical bit of each weight of the dense layer", fontsize="small")
    axes.minorticks_off()
    axes.grid(False)
    return mesh
