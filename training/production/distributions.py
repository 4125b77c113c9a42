"""Distributions by which samples of modules are compared: cells hit, module sum, largest cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def distributions(calq: npt.NDArray[np.integer[Any]]) -> dict[str, npt.NDArray[np.integer[Any]]]:
    """Cells hit, module sum and largest cell of each module, (n,). calq: (n, 48), in any order."""
    return {"cells hit": (calq > 0).sum(axis=1), "module sum": calq.sum(axis=1, dtype=np.int64),
            "largest cell": calq.max(axis=1)}


def compare(samples: Mapping[str, npt.NDArray[np.integer[Any]]]) -> list[tuple[str, ...]]:
    """Tabulate all samples: rows of quantity, sample, mean, and the 5%, 25%, 50%, 75% and 95% percentiles."""
    rows = []
    per_sample = {name: distributions(calq) for name, calq in samples.items()}
    for quantity in ("cells hit", "module sum", "largest cell"):
        for name, values in per_sample.items():
            shown = [values[quantity].mean(), *np.percentile(values[quantity], [5, 25, 50, 75, 95])]
            rows.append((quantity, name, *(f"{value:.1f}" for value in shown)))
    return rows
