"""Metrics per module: how well a received charge map reproduces the true one.

Charges are in CALQ and trigger-cell order. A metric that does not exist for a module (such as the centroid of an empty
map) is NaN and is left out of means.
"""

from __future__ import annotations

import numpy as np

from models.arrays import FloatArray
from models.trigger_cells import COORDINATES, PITCH, SUPER_CELLS, super_cell_weights
from training.physics.statistics import ratio
from training.results.comparison import Metric

METRICS = {
    "emd": Metric(
        title="EMD", short="EMD", best="low", span=(0.0, 6.0), unit="sensor-cell pitch", meaning=(
            "exact earth mover's distance in sensor-cell pitches; a received map without charge counts as a flat one, "
            "as only its module sum is known")),
    "energy_response": Metric(
        title="energy response", short="energy", best="one", span=(0.0, 1.6),
        meaning="charge of the received map over true charge"),
    "sum_response": Metric(
        title="sum response", short="sum", best="one", span=(0.8, 1.2),
        meaning="module sum that the frame carries over true charge"),
    "largest_cell": Metric(
        title="largest-cell error", short="largest", best="zero", span=(-1.0, 1.0),
        meaning="received charge of the cell that truly is the largest, over its true charge, minus 1"),
    "centroid": Metric(
        title="centroid error", short="centroid", best="low", span=(0.0, 5.0), unit="sensor-cell pitch",
        meaning="distance between the charge-weighted centres, in sensor-cell pitches"),
    "width": Metric(
        title="width error", short="width", best="zero", span=(-3.0, 3.0), unit="sensor-cell pitch",
        meaning="charge-weighted rms radius, received minus true, in sensor-cell pitches"),
    "correlation": Metric(
        title="cross-correlation", short="correl.", best="high", span=(0.0, 1.0),
        meaning="correlation of the 48 true and received charges"),
    "telescope": Metric(
        title="telescope metric", short="telescope", best="low", span=(0.0, 0.02),
        meaning="4 x cells + 2 x super cells + thirds: squared error of charge fractions times the larger of the two"),
    "occupancy_kept": Metric(
        title="occupancy kept", short="occup.", best="one", span=(0.0, 1.0),
        meaning="fraction of the cells above one transverse MIP that are also received above it"),
}
"""All metrics of a comparison, in the order of its tables.

Examples:
    >>> from training.physics import METRICS
    >>> METRICS["emd"].best, METRICS["energy_response"].best
    ('low', 'one')
"""


def event_metrics(
    true: FloatArray, received: FloatArray, module_sum: FloatArray, min_charge: float
) -> dict[str, FloatArray]:
    """All `METRICS` except the EMD, (n,) each.

    true, received: (n, 48); module_sum: (n,) as carried by the frames, NaN where they do not. No true map may be empty.
    A cell above `min_charge` counts as occupied.

    Examples:
        >>> import numpy as np
        >>> from training.physics import event_metrics
        >>> true = np.full((2, 48), 70.0)
        >>> metrics = event_metrics(true, true / 2, true.sum(axis=1), min_charge=35)
        >>> metrics["energy_response"].tolist(), metrics["occupancy_kept"].tolist()
        ([0.5, 0.5], [0.0, 0.0])
    """
    total = true.sum(axis=1)
    largest = true.argmax(axis=1)[:, None]
    peak = np.take_along_axis(true, largest, axis=1)[:, 0]
    occupied = true > min_charge
    n_occupied = occupied.sum(axis=1)
    true_centre, true_width = _moments(true)
    centre, width = _moments(received)
    return {
        "energy_response": received.sum(axis=1) / total,
        "sum_response": module_sum / total,
        "largest_cell": np.take_along_axis(received, largest, axis=1)[:, 0] / peak - 1,
        "centroid": np.hypot(*(centre - true_centre).T),
        "width": width - true_width,
        "correlation": correlation(true, received),
        "telescope": telescope(fractions(true), fractions(received)),
        "occupancy_kept": ratio((occupied & (received > min_charge)).sum(axis=1), n_occupied),
    }


def fractions(charge: FloatArray) -> FloatArray:
    """Each map divided by its sum; NaN for an empty one."""
    return ratio(charge, charge.sum(axis=1, keepdims=True))


def _moments(charge: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Centre (n, 2) and rms radius (n,) of each map, in sensor-cell pitches."""
    place = (COORDINATES - COORDINATES.mean(axis=0)) / (PITCH / 2)
    weight = fractions(charge)
    centre = weight @ place
    squared = weight @ np.square(place).sum(axis=1) - np.square(centre).sum(axis=1)
    return centre, np.sqrt(np.maximum(squared, 0.0))


def correlation(true: FloatArray, received: FloatArray) -> FloatArray:
    """Pearson's correlation of the 48 charges of each pair, (n,); NaN if one of the maps is flat or empty."""
    a, b = (charge - charge.mean(axis=1, keepdims=True) for charge in (true, received))
    norm = np.sqrt(np.square(a).sum(axis=1) * np.square(b).sum(axis=1))
    return ratio((a * b).sum(axis=1), norm)


def telescope(true: FloatArray, received: FloatArray) -> FloatArray:
    """Loss `training.losses.charge_maps.telescope` of charge fractions (n, 48) in double precision, (n,)."""

    def weighted(a: FloatArray, b: FloatArray) -> FloatArray:
        return np.square(a - b) * np.maximum(a, b)

    super_true, super_received = true[:, SUPER_CELLS].sum(axis=2), received[:, SUPER_CELLS].sum(axis=2)
    third_true, third_received = (charge.reshape(-1, 3, 16).sum(axis=2) for charge in (true, received))
    value: FloatArray = (4 * weighted(true, received).mean(axis=1)
                         + 2 * (weighted(super_true, super_received) * super_cell_weights()).mean(axis=1)
                         + weighted(third_true, third_received).mean(axis=1))
    return value
