"""Which cluster belongs to which generated particle."""

from __future__ import annotations

import numpy as np

from models.arrays import Float64Array, Int64Array, IntArray

RADIUS = 0.1
"""Largest distance in (eta, phi) of a cluster and its particle."""


def delta_phi(first: Float64Array, second: Float64Array) -> Float64Array:
    """Difference of two azimuths, -pi to pi."""
    found: Float64Array = np.mod(first - second + np.pi, 2 * np.pi) - np.pi
    return found


def match(
    event: IntArray, eta: Float64Array, phi: Float64Array, *, to_event: IntArray, to_eta: Float64Array,
    to_phi: Float64Array, to_pt: Float64Array, radius: float = RADIUS,
) -> Int64Array:
    """Find the reconstructed object with the most `to_pt` within `radius` of each generated one, (n,); -1 if none."""
    order = np.argsort(to_event, kind="stable")
    first = np.searchsorted(to_event[order], event, side="left")
    n_there = np.searchsorted(to_event[order], event, side="right") - first
    generated = np.repeat(np.arange(len(event)), n_there)
    other = order[np.repeat(first - np.cumsum(n_there) + n_there, n_there) + np.arange(int(n_there.sum()))]
    near = np.hypot(eta[generated] - to_eta[other], delta_phi(phi[generated], to_phi[other])) < radius
    generated, other = generated[near], other[near]
    best = np.full(len(event), -1, dtype=np.int64)
    rising = np.argsort(to_pt[other], kind="stable")
    best[generated[rising]] = other[rising]  # the last one written has the most
    return best
