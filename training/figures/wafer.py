"""Charge maps of one module: on the wafer with its hexagonal sensor cells, and as the encoder's 8x8 image."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from models.arrays import FloatArray
from models.trigger_cells import COORDINATES, IMAGE_TO_TC, N_TRIGGER_CELLS, PITCH
from training.figures.style import ink
from training.results.comparison import Display

CHARGE_MAP, DIFFERENCE_MAP = "cividis", "RdBu_r"
"""Colour maps whose order is visible with any colour vision."""


def sensor_cells() -> FloatArray:
    """Centres of the sensor cells, (48, 4, 2): a trigger cell is a rhombus of 2x2 of them (low-density wafer).

    The 192 cells of the three rhombi lie on one hexagonal lattice, so that their outlines tile the wafer.
    """
    cell = np.arange(N_TRIGGER_CELLS)
    first = 16 * (cell // 16)
    fast, slow = COORDINATES[first + 1] - COORDINATES[first], COORDINATES[first + 4] - COORDINATES[first]
    offsets = [(a * fast + b * slow) / 4 for a in (-1, 1) for b in (-1, 1)]
    return np.stack([COORDINATES + offset for offset in offsets], axis=1)


@functools.cache
def outlines() -> tuple[FloatArray, ...]:
    """Outline of each trigger cell: the edges that belong to only one of its sensor cells, in order."""
    angle = np.arange(6) * np.pi / 3
    hexagon = np.stack([np.cos(angle), np.sin(angle)], axis=1) * PITCH / 2 / np.sqrt(3)
    return tuple(_outline(centres[:, None] + hexagon) for centres in sensor_cells())


def _outline(hexagons: FloatArray) -> FloatArray:
    """Outline of counter-clockwise hexagons (k, 6, 2): an edge between two of them occurs once in each direction."""
    rounded = [[tuple(corner) for corner in np.round(hexagon, 3).tolist()] for hexagon in hexagons]
    edges = {(a, b) for hexagon in rounded for a, b in zip(hexagon, hexagon[1:] + hexagon[:1], strict=True)}
    following = dict(edge for edge in edges if edge[::-1] not in edges)
    path = [min(following)]
    while following[path[-1]] != path[0]:
        path.append(following[path[-1]])
    return np.array(path)


def draw_wafer(axes: Axes, charge: npt.ArrayLike, colour_map: str, low: float, high: float) -> PolyCollection:
    """Draw charges (48,) in trigger-cell order on the wafer; cells of exactly 0 stay open.

    Examples:
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from training.figures import draw_wafer
        >>> cells = draw_wafer(Figure().add_subplot(), np.arange(48), "viridis", 0, 47)
        >>> len(cells.get_paths())
        48
    """
    values = np.ma.masked_equal(np.asarray(charge, dtype=np.float64), 0.0)
    colours = colormaps[colour_map].with_extremes(bad=(0.5, 0.5, 0.5, 0.15))
    cells = PolyCollection(list(outlines()), array=values, cmap=colours, norm=Normalize(low, high),
                           edgecolors=ink(), linewidths=0.3)
    axes.add_collection(cells)
    axes.autoscale_view()
    axes.set_aspect("equal")
    axes.set_axis_off()
    return cells


def wafer_display(display: Display) -> Figure:
    r"""Draw input, received map, their difference, and the maps of BC and STC, on one scale for all charges.

    Examples:
        >>> from training.figures import wafer_display
        >>> from training.results.comparison import Display, Map
        >>> received = Map(scheme="AE mine", algorithm="AE", emd=0.5, charge=(10,) * 48)
        >>> display = Display(n_elinks=5, reason="typical", row=0, true=(9,) * 48, latent=(7,) * 16, subject="AE mine",
        ...                   maps=(received,))
        >>> [axes.get_title() for axes in wafer_display(display).axes][:3]
        ['input', 'AE mine\nEMD 0.50', 'received - input']
    """
    true = np.asarray(display.true, dtype=np.float64)
    subject = display.subject_map
    others = [one for algorithm in ("BC", "STC", "TS") for one in display.maps
              if one.algorithm == algorithm and one is not subject][:2]
    top = max(true.max(), 1.0)
    figure = Figure(figsize=(5.2, 4.0))
    panels = figure.subplots(2, 3).ravel()
    charges = draw_wafer(panels[0], true, CHARGE_MAP, 0, top)
    panels[0].set_title("input", fontsize="small")
    for axes, one in zip([panels[1], panels[3], panels[4]], [subject, *others], strict=False):
        draw_wafer(axes, one.charge, CHARGE_MAP, 0, top)
        axes.set_title(f"{one.scheme}\nEMD {one.emd:.2f}", fontsize="small")
    difference = np.asarray(subject.charge) - true
    changes = draw_wafer(panels[2], difference, DIFFERENCE_MAP, -top, top)
    panels[2].set_title("received - input", fontsize="small")
    panels[5].set_axis_off()
    draw_scales(panels[5], {"CALQ": (charges, 0.62), "difference [CALQ]": (changes, 0.18)}, 0.12, "x-small")
    return figure


def draw_scales(axes: Axes, scales: Mapping[str, tuple[PolyCollection, float]], height: float, size: str) -> None:
    """Draw colour bars in a panel that is off, each with its label, for these cells, at this height of the panel."""
    for label, (cells, place) in scales.items():
        bar = axes.inset_axes((0.0, place, 1.0, height))
        axes.figure.colorbar(cells, cax=bar, orientation="horizontal")
        bar.tick_params(labelsize=size)
        bar.set_xlabel(label, fontsize=size, loc="center")
        bar.minorticks_off()


def image_display(display: Display) -> Figure:
    """Draw the encoder's view: 8x8 input, 16 latents and 8x8 received map; pixels without a cell stay open.

    Examples:
        >>> from training.figures import image_display
        >>> from training.results.comparison import Display, Map
        >>> received = Map(scheme="AE mine", algorithm="AE", emd=0.5, charge=(10,) * 48)
        >>> display = Display(n_elinks=5, reason="typical", row=0, true=(9,) * 48, latent=(7,) * 16, subject="AE mine",
        ...                   maps=(received,))
        >>> [axes.get_title() for axes in image_display(display).axes]
        ['input [CALQ]', 'latents [code]', 'received [CALQ]']
    """
    top = max(*display.true, 1)
    figure = Figure(figsize=(5.2, 2.1))
    panels = figure.subplots(1, 3)
    for axes, charge, title in ((panels[0], display.true, "input"),
                                (panels[2], display.subject_map.charge, "received")):
        image = np.ma.masked_where(IMAGE_TO_TC < 0, np.asarray(charge, dtype=np.float64)[IMAGE_TO_TC])
        _mesh(axes, image, 0, top)
        axes.set_title(f"{title} [CALQ]", fontsize="small")
    if display.latent is not None:
        latent = np.asarray(display.latent).reshape(4, 4)
        _mesh(panels[1], latent, 0, max(int(latent.max()), 1))
        for row in range(4):
            for column in range(4):
                value = latent[row, column]
                bright = value > 0.55 * max(int(latent.max()), 1)
                panels[1].text(column + 0.5, 3.5 - row, str(value), ha="center", va="center", fontsize="x-small",
                               color="black" if bright else "white")
        panels[1].set_title("latents [code]", fontsize="small")
    else:
        panels[1].set_axis_off()
    return figure


def _mesh(axes: Axes, image: npt.NDArray[Any], low: float, high: float) -> None:
    axes.pcolormesh(image[::-1], cmap=CHARGE_MAP, vmin=low, vmax=high, edgecolors=ink(), linewidth=0.2)
    axes.set(aspect="equal", xticks=[], yticks=[])
    axes.minorticks_off()
    axes.spines[:].set_visible(False)
