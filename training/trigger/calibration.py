"""Calibration of clusters: layer weights and a pile-up offset linear in |eta|, fitted on half of the events."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.arrays import Float64Array, FloatArray, Int64Array, IntArray
from training.production.geometry import N_EM_LAYERS, N_THIN_LAYERS, trigger_layers
from training.trigger.cells import energy_per_mip
from training.trigger.statistics import effective_width
from training.trigger.system import LayerWeights

_SPREAD = 0.3
"""Prior of each layer weight about a common factor; few events leave weights near the loss of a MIP."""
_NOISE_PT = 10.0
"""GeV; residuals are relative to the transverse momentum plus this."""
_RESOLUTION = 0.15
_OFFSET_SPREAD = 20.0
_TINY = 1e-3
_LEAST_SCALE = 0.1
"""Of the line of sums, where 1 is the median of measured over generated; a line that is nearly flat has no inverse."""
_LINE_SPREADS = (1.0, 100.0, 100.0)
"""Priors of the scale, about 1, of the offset and of its slope, about 0 GeV; some jets are enough to overrule them."""
_WIDEST = 3.0
"""Effective widths beyond which a cluster is left out of the second fit: it is not the generated particle's."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Calibration:
    """Calibration: pt = layer_charge @ weights - offset - slope |eta|; weights (trigger layers,) in GeV per MIP."""

    weights: Float64Array
    offset: float
    slope: float

    def pt(self, layer_charge: FloatArray, eta: Float64Array) -> Float64Array:
        """Calibrated transverse momentum in GeV, (n,), of charges by layer (n, trigger layers)."""
        found: Float64Array = layer_charge @ self.weights - self.offset - self.slope * np.abs(eta)
        return found


def nominal() -> Calibration:
    """Calibration without a fit: the energy that a MIP loses in the absorber."""
    return Calibration(energy_per_mip()[trigger_layers()], 0.0, 0.0)


def fit(
    layer_charge: FloatArray, eta: Float64Array, pt: Float64Array, layer_weights: LayerWeights = "fitted"
) -> Calibration:
    """Fit to clusters (n, trigger layers) of particles with known transverse momentum in GeV, (n,).

    Electromagnetic layers have a weight each, thin and thick hadronic layers one each; with `dE/dx`, all layers have
    the weights of `nominal` times one factor. No clusters leave `nominal`.
    """
    if not len(pt):
        return nominal()
    per_mip = nominal().weights
    number = _free_weights() if layer_weights == "fitted" else np.zeros(len(per_mip), dtype=np.int64)
    columns = np.zeros((len(pt), int(number.max()) + 1))
    np.add.at(columns.T, number, (layer_charge * per_mip).T)
    rows = np.arange(len(pt))
    for _ in range(2):
        solution = _solve(columns[rows], np.abs(eta[rows]), pt[rows])
        found = Calibration(solution[:-2][number] * per_mip, float(solution[-2]), float(solution[-1]))
        residual = (found.pt(layer_charge, eta) - pt) / (pt + _NOISE_PT)
        width = effective_width(residual)
        near = np.abs(residual - np.median(residual)) < _WIDEST * width
        rows = np.flatnonzero(near) if np.isfinite(width) else rows
    return found


def _free_weights() -> Int64Array:
    """Number of the free weight of each trigger layer."""
    layer = trigger_layers()
    n_em = int((layer <= N_EM_LAYERS).sum())
    section = n_em + (layer > N_EM_LAYERS + N_THIN_LAYERS)
    return np.where(layer <= N_EM_LAYERS, np.arange(len(layer)), section)


def _solve(columns: Float64Array, eta: Float64Array, pt: Float64Array) -> Float64Array:
    """Factors of the columns, then offset and slope."""
    from scipy.optimize import lsq_linear  # noqa: PLC0415  (slow to start, and --help does without)

    n = columns.shape[1]
    common = float(np.median(pt / np.maximum(columns.sum(axis=1), _TINY)))
    weight = 1 / (_RESOLUTION * (pt + _NOISE_PT))
    data = np.column_stack([columns, -np.ones(len(pt)), -eta]) * weight[:, None]
    prior = np.diag([1 / (_SPREAD * max(common, _TINY))] * n + [1 / _OFFSET_SPREAD] * 2)
    wanted = np.concatenate([pt * weight, [1 / _SPREAD] * n, [0.0, 0.0]])
    bounds = (np.array([0.0] * n + [-np.inf] * 2), np.inf)
    solution: Float64Array = lsq_linear(np.concatenate([data, prior]), wanted, bounds).x
    return solution


def fit_line(measured: Float64Array, eta: Float64Array, pt: Float64Array) -> Callable[[Float64Array, Float64Array],
                                                                                    Float64Array]:
    """Scale and offset linear in |eta| for sums such as those of jets; returns the function that applies them.

    The line is that of the measured sum against the generated momentum, inverted: fitted the other way round, wide
    distributions would pull every jet towards the mean of those generated, whose spectrum the fit would depend on. All
    have the same weight, as pile-up adds the same spread to all.
    """
    if not len(pt):
        return lambda measured, _eta: measured
    from scipy.optimize import lsq_linear  # noqa: PLC0415  (slow to start, and --help does without)

    common = float(np.median(pt / np.maximum(measured, _TINY)))
    columns, prior = np.column_stack([pt, np.ones(len(pt)), np.abs(eta)]), np.diag(_NOISE_PT / np.array(_LINE_SPREADS))
    wanted = np.concatenate([common * measured, [prior[0, 0], 0.0, 0.0]])
    bounds = ([_LEAST_SCALE, -np.inf, -np.inf], np.inf)
    scale, offset, slope = lsq_linear(np.concatenate([columns, prior]), wanted, bounds).x
    return lambda measured, eta: (common * measured - offset - slope * np.abs(eta)) / scale


def halves(event: IntArray) -> tuple[Int64Array, Int64Array]:
    """Rows of even and of odd events; warn if one half is empty, as the other one then has no calibration."""
    rows = np.flatnonzero(event % 2 == 0), np.flatnonzero(event % 2 == 1)
    if not (len(rows[0]) and len(rows[1])):
        log.warning("%d objects in even and %d in odd events to calibrate with: momenta of %s are not calibrated; take "
                    "more with --events", len(rows[0]), len(rows[1]),
                    "all" if not len(event) else "even events" if not len(rows[1]) else "odd events")
    return rows
