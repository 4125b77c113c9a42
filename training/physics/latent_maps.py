"""Maps of latents: principal components and UMAP of the codes, and their histograms by layer, eta and energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator import encode
from models.arrays import Float64Array, FloatArray, IntArray
from models.calq_io import CalqTable
from models.errors import not_installed
from models.weights import EncoderWeights
from training.production.condition_columns import condition_columns
from training.results.latent_maps import Condition, Group, LatentMaps
from training.results.latents import N_BINS

MOST_MODULES = 4000
"""Modules of a map; of more, those at equal distances."""
_FEWEST = 10
_NEIGHBOURS = 30


def latent_maps(weights: EncoderWeights, modules: CalqTable, umap: bool = False) -> LatentMaps | None:
    """Map the codes that are sent of modules with charge; None if there are hardly any.

    `umap`: also by UMAP; raises ToolMissing without umap-learn.
    """
    rows = np.flatnonzero(modules.calq.any(axis=1))
    rows = rows[:: -(-len(rows) // MOST_MODULES) or 1]
    if len(rows) < _FEWEST:
        return None
    modules = modules.rows(rows)
    trace = encode(weights, modules.calq, keep=["latent_code", "module_sum"])
    codes = trace["latent_code"]
    place, parts = principal_components(codes)
    known = _conditions(modules, trace["module_sum"])
    return LatentMaps(
        data=modules.source, n_modules=len(rows), latent_bits=weights.spec.latent_bits,
        components=tuple(parts.tolist()), pca=_pairs(place), umap=_umap(codes) if umap else None,
        conditions=tuple(Condition(name=name, title=title, logarithmic=logarithmic, values=tuple(values.tolist()),
                                   groups=tuple(_groups(values, codes, weights.spec.latent_bits)))
                         for name, title, logarithmic, values in known),
        missing=tuple(name for name in ("layer", "eta") if name not in {one[0] for one in known}))


def principal_components(codes: IntArray) -> tuple[Float64Array, Float64Array]:
    """Places (n, 2) along the first two principal components, and the part of the variance along all of them.

    The largest weight of each component is positive.
    """
    centred = codes - codes.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    first = axes[:2]
    first = first * np.sign(first[np.arange(len(first)), np.abs(first).argmax(axis=1)])[:, None]
    total = (sizes**2).sum()
    return centred @ first.T, sizes**2 / total if total else np.zeros_like(sizes)


def _conditions(modules: CalqTable, module_sum: IntArray) -> list[tuple[str, str, bool, FloatArray]]:
    """Name, title, whether it spans orders of magnitude, and values of each condition that is known."""
    columns: Mapping[str, npt.NDArray[Any]] = condition_columns(modules.extra)
    found: list[tuple[str, str, bool, FloatArray]] = []
    if "layer" in columns:
        found.append(("layer", "layer", False, columns["layer"].astype(np.float64)))
    if "eta" in columns:
        found.append(("eta", "|eta|", False, np.abs(columns["eta"]).astype(np.float64)))
    found.append(("sum", "module sum [CALQ]", True, module_sum.astype(np.float64)))
    if "energy" in modules.extra and modules.extra["energy"].dtype.kind in "if" and (modules.extra["energy"] > 0).any():
        energy = modules.extra["energy"].to_numpy(np.float64)
        found.append(("energy", "energy [GeV]", True, np.maximum(energy, energy[energy > 0].min())))
    return found


def _groups(values: FloatArray, codes: IntArray, n_bits: int) -> list[Group]:
    """Modules in three groups of about equal size by a condition; equal values stay together."""
    edges = np.quantile(values, [1 / 3, 2 / 3])
    number = np.searchsorted(edges, values, side="left")
    n_bins = min(N_BINS, 1 << n_bits)
    found = []
    for group in np.unique(number):
        here = number == group
        low, high = values[here].min(), values[here].max()
        counts = [np.bincount(column * n_bins >> n_bits, minlength=n_bins).tolist()
                  for column in codes[here].astype(np.int64).T]
        label = _text(low) if low == high else f"{_text(low)} to {_text(high)}"
        found.append(Group(label=label, n_modules=int(here.sum()), counts=tuple(map(tuple, counts))))
    return found


def _text(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004  (three digits)


def _umap(codes: IntArray) -> tuple[tuple[float, float], ...]:
    try:
        import umap  # noqa: PLC0415  (of the extra "umap", and slow to start)
    except ImportError as error:
        raise not_installed(error, "a map of latents by UMAP needs", "umap") from None
    return _pairs(umap.UMAP(n_neighbors=min(_NEIGHBOURS, len(codes) - 1), random_state=1).fit_transform(
        codes.astype(np.float64)))


def _pairs(place: npt.NDArray[Any]) -> tuple[tuple[float, float], ...]:
    wide = np.zeros((len(place), 2))
    wide[:, : place.shape[1]] = place
    return tuple((float(x), float(y)) for x, y in wide)
