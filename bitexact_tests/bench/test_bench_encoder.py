"""Events per second of the encoder: emulator and its unblocked baseline on one core, compiled HLS C++ on all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from bitexact_tests.bench.encoder_kernel import compile_kernel
from bitexact_tests.bench.side_by_side import side_by_side
from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.matrix import FAMILIES, charges
from emulator import encode
from hls.backends import BACKENDS
from hls.cache import compiled
from hls.csim import run_csim
from models.calq_io import read_calq, write_calq
from models.config import Config
from models.weights import EncoderWeights

N_EVENTS = 50_000
CALQ = np.random.default_rng(1).integers(0, 400, (N_EVENTS, 48)).astype(np.uint32)


def unblocked(spec: Any, weights: EncoderWeights, calq: np.ndarray) -> np.ndarray:
    """The dense layer's products as one large array, the way one writes it first: less work than the whole encoder."""
    trace = encode(weights, calq, keep=["hidden_code"])
    cut = 4 if spec.arithmetic == "chip" else 0
    products = trace["hidden_code"][:, :, None] * weights.dense_kernel.astype(np.int32)
    total: np.ndarray = (products >> cut).sum(axis=1)
    return total


def measure(benchmark: Any, function: Callable[[], object], n_events: int) -> None:
    benchmark(function)
    if benchmark.stats:
        benchmark.extra_info["events_per_s"] = round(n_events / benchmark.stats.stats.median)


def test_limit(benchmark: Any, gxx: str, tmp_path: Path) -> None:
    """Theirs is plain C++ compiled for this machine, the practical limit of one core: it finds the same latents."""
    config = Config.load(REPOSITORY / "configs" / "econ_t_5elink.yaml")
    for family, make in FAMILIES.items():
        weights = make(config.encoder)
        kernel = compile_kernel(weights, tmp_path / f"{family}.so", gxx)
        expected = encode(weights, charges(), keep=["latent_code"])["latent_code"]
        np.testing.assert_array_equal(kernel(charges()), expected, err_msg=family)
    weights = EncoderWeights.random(config.encoder, 1, density=0.5)
    kernel = compile_kernel(weights, tmp_path / "random.so", gxx)
    calq = CALQ if benchmark.enabled else CALQ[:1001]
    benchmark.group = "emulator and C++ kernel"
    found, limit = side_by_side(
        benchmark, lambda: encode(weights, calq, keep=["latent_code"])["latent_code"], lambda: kernel(calq), len(calq))
    assert found.any()
    np.testing.assert_array_equal(found, limit)


@pytest.mark.parametrize("name", ["econ_t_5elink", "qkeras_5elink"])
@pytest.mark.parametrize("implementation", ["emulator", "unblocked", *BACKENDS])
def test_encode(benchmark: Any, name: str, implementation: str, request: pytest.FixtureRequest) -> None:
    config = Config.load(REPOSITORY / "configs" / f"{name}.yaml")
    spec, weights = config.encoder, EncoderWeights.random(config.encoder, 1, density=0.5)
    benchmark.group = f"encode {name}"
    calq = CALQ if benchmark.enabled else CALQ[:1000]
    if implementation in BACKENDS:
        request.getfixturevalue("gxx")
        compiled(config, implementation)
        calq = calq[:20_000]
        measure(benchmark, lambda: run_csim(config, weights, calq, implementation, keep=["latent_code"]), len(calq))
        return
    with threadpool_limits(1):
        if implementation == "emulator":
            measure(benchmark, lambda: encode(weights, calq, keep=["latent_code"]), len(calq))
        else:
            calq = calq[:5_000]
            measure(benchmark, lambda: unblocked(spec, weights, calq), len(calq))


def test_read_csv(benchmark: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("bench") / "calq.csv"
    calq = np.concatenate([CALQ] * 4) if benchmark.enabled else CALQ[:1000]
    write_calq(path, calq)
    benchmark.group = "read CALQ"
    measure(benchmark, lambda: read_calq(path), len(calq))
