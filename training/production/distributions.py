"""Distributions by which samples of modules are compared: cells hit, module sum, largest cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from training.results.modules import SampleDistribution

_PERCENTILES = (5, 25, 50, 75, 95)


def distributions(calq: npt.NDArray[np.integer[Any]]) -> dict[str, npt.NDArray[np.integer[Any]]]:
    """Cells hit, module sum and largest cell of each module, (n,). calq: (n, 48), in any order."""
    return {"cells hit": (calq > 0).sum(axis=1), "module sum": calq.sum(axis=1, dtype=np.int64),
            "largest cell": calq.max(axis=1)}


def compare(samples: Mapping[str, npt.NDArray[np.integer[Any]]]) -> tuple[SampleDistribution, ...]:
    """Mean and percentiles of each quantity of each sample, those of one quantity together."""
    per_sample = {name: distributions(calq) for name, calq in samples.items()}
    return tuple(
        SampleDistribution(quantity=quantity, sample=name, mean=float(values[quantity].mean()), **{
            f"p{p}": float(value)
            for p, value in zip(_PERCENTILES, np.percentile(values[quantity], _PERCENTILES), strict=True)})
        for quantity in ("cells hit", "module sum", "largest cell") for name, values in per_sample.items())
