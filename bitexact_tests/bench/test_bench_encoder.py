"""Events per second of the encoder on one core: vectorised emulator, NumPy without blocks, and compiled HLS C++."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from bitexact_tests.conftest import REPOSITORY
from emulator import encode
from models.config import Config
from models.weights import EncoderWeights

N_EVENTS = 50_000
CALQ = np.random.default_rng(1).integers(0, 400, (N_EVENTS, 48)).astype(np.uint32)


def unblocked(spec: Any, weights: EncoderWeights, calq: np.ndarray) -> np.ndarray:
    """The baseline: the dense layer's products as one large array, the way one writes it first."""
    trace = encode(spec, weights, calq, keep=["hidden_code"])
    cut = 4 if spec.arithmetic == "chip" else 0
    products = trace["hidden_code"][:, :, None] * weights.dense_kernel.astype(np.int32)
    total: np.ndarray = (products >> cut).sum(axis=1)
    return total


@pytest.mark.parametrize("name", ["econ_t_5elink", "qkeras_5elink"])
@pytest.mark.parametrize("implementation", ["emulator", "unblocked"])
def test_encode(benchmark: Any, name: str, implementation: str) -> None:
    spec = Config.load(REPOSITORY / "configs" / f"{name}.yaml").encoder
    weights = EncoderWeights.random(spec, 1, density=0.5)
    benchmark.group = f"encode {name}"
    with threadpool_limits(1):
        if implementation == "emulator":
            benchmark(encode, spec, weights, CALQ, keep=["latent_code"])
            n_events = N_EVENTS
        else:
            n_events = 5_000
            benchmark(unblocked, spec, weights, CALQ[:n_events])
    if benchmark.stats:
        benchmark.extra_info["events_per_s"] = n_events / benchmark.stats.stats.median
