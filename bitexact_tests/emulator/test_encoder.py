"""The vectorised encoder against a scalar one that is slow and obviously right, written from the specification."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bitexact_tests.conftest import CONFIGS, REPOSITORY
from emulator import STAGES, encode
from emulator.encoder import exact_products, floored_products
from models.config import Config
from models.spec import EncoderSpec
from models.weights import EncoderWeights

SPECS = {path.stem: Config.load(path).encoder for path in CONFIGS}
CHIP = SPECS["econ_t_5elink"]
QKERAS = SPECS["qkeras_5elink"]


def scalar_latents(spec: EncoderSpec, weights: EncoderWeights, calq: list[int]) -> list[int]:
    """One event, one integer at a time; the shifts are those of the chip's documentation, not derived from the spec."""
    chip = spec.arithmetic == "chip"
    total = sum(calq) % (1 << 22)
    image = [[0] * 9 for _ in range(9)]
    for k, charge in enumerate(calq):
        row, column = (k // 8, k % 8) if k < 32 else (4 + (k - 32) // 4, (k - 32) % 4)
        image[row][column] = ((charge << 7) >> (total.bit_length() - 1)) & 255 if total else 0
    hidden = []
    for row in range(0, 8, 2):
        for column in range(0, 8, 2):
            for f in range(8):
                products = [image[row + r][column + c] * int(weights.conv_kernel[r, c, 0, f])
                            for r in range(3) for c in range(3)]
                bias = int(weights.conv_bias[f])
                acc = sum(p >> 5 for p in products) + (bias << 2) if chip else sum(products) + (bias << 7)
                hidden.append(min(max(acc if chip else round(acc / 32), 0), 255))
    latents = []
    for j in range(16):
        products = [h * int(weights.dense_kernel[k, j]) for k, h in enumerate(hidden)]
        bias = int(weights.dense_bias[j])
        if chip:
            output = min(max(sum(p >> 4 for p in products) + (bias << 3), 0), 511)
            latents.append(output >> (9 - spec.latent_bits))
        else:
            drop = 12 - (spec.latent_bits - 1)
            acc = sum(products) + (bias << 7)
            latents.append(min(max(round(acc / 2**drop), 0), 2**spec.latent_bits - 1))
    return latents


EXTREME_CALQ = np.stack([
    np.zeros(48), np.full(48, 255), np.full(48, (1 << 22) - 1), np.eye(48)[5] * 300, np.eye(48)[47],
    np.full(48, 1 << 17), np.arange(48),
    np.where(np.arange(48) < 2, (1 << 21) + 1 - 2 * np.arange(48), 0),  # odd charges whose sum wraps to 0
]).astype(np.uint32)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("family", ["zero", "lowest", "highest", "random", "sparse"])
def test_extreme_weights_and_inputs(name: str, family: str) -> None:
    spec = SPECS[name]
    weights = {
        "zero": EncoderWeights.constant(spec, 0),
        "lowest": EncoderWeights.constant(spec, -32),
        "highest": EncoderWeights.constant(spec, 31),
        "random": EncoderWeights.random(spec, 7),
        "sparse": EncoderWeights.random(spec, 8, density=0.1),
    }[family]
    expected = [scalar_latents(spec, weights, [int(q) for q in calq]) for calq in EXTREME_CALQ]
    np.testing.assert_array_equal(encode(weights, EXTREME_CALQ)["latent_code"], expected)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SPECS)), st.integers(0, 10**6), st.sampled_from([0.05, 0.3, 1.0]),
       hnp.arrays(np.uint32, (2, 48), elements=st.integers(0, 5000) | st.integers(0, (1 << 22) - 1) | st.just(0)))
def test_any_weights_and_inputs(name: str, seed: int, density: float, calq: np.ndarray) -> None:
    spec = SPECS[name]
    weights = EncoderWeights.random(spec, seed, density)
    expected = [scalar_latents(spec, weights, [int(q) for q in row]) for row in calq]
    np.testing.assert_array_equal(encode(weights, calq)["latent_code"], expected)


@given(hnp.arrays(np.int64, (5, 3, 4), elements=st.integers(0, 255)),
       hnp.arrays(np.int8, (5, 2), elements=st.integers(-32, 31)), st.integers(0, 6))
def test_floored_products_is_the_sum_of_shifted_products(code: np.ndarray, weight: np.ndarray, cut: int) -> None:
    expected = ((code[:, :, None, :] * weight[:, None, :, None].astype(np.int64)) >> cut).sum(axis=0)
    np.testing.assert_array_equal(floored_products(code, weight, cut, largest=255 * 32), expected)
    if cut == 0:
        np.testing.assert_array_equal(exact_products(code, weight, largest=255 * 32), expected)


def test_products_beyond_single_precision_are_exact() -> None:
    code, weight = np.full((3, 1, 1), (1 << 20) + 1), np.array([[31], [-32], [30]])
    found = exact_products(code, weight, largest=((1 << 20) + 1) * 32)
    np.testing.assert_array_equal(found, [[[29 * ((1 << 20) + 1)]]])


def test_blocks_join_without_a_seam() -> None:
    rng = np.random.default_rng(1)
    calq = rng.integers(0, 500, (2500, 48), dtype=np.uint32)
    weights = EncoderWeights.random(CHIP, 1, density=0.2)
    whole = encode(weights, calq)
    assert tuple(whole) == STAGES
    for start in (0, 1000, 1024, 2048, 2499):
        alone = encode(weights, calq[start : start + 1])
        for stage in STAGES:
            np.testing.assert_array_equal(whole[stage][start], alone[stage][0], stage)


def test_no_events() -> None:
    trace = encode(EncoderWeights.constant(CHIP, 0), np.empty((0, 48), np.uint32))
    assert trace["latent_code"].shape == (0, 16) and trace["image_code"].shape == (0, 8, 8)


@pytest.mark.parametrize("calq", [np.zeros((2, 47), int), np.zeros(48, int), np.zeros((1, 48)),
                                  np.full((1, 48), -1), np.full((1, 48), 1 << 22)])
def test_bad_charges_are_refused(calq: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"calq .*expected"):
        encode(EncoderWeights.constant(CHIP, 0), calq)


def test_emulator_needs_numpy_alone() -> None:
    program = """
import sys, emulator
heavy = {"pydantic", "pandas", "pyarrow", "typer", "tensorflow", "numba", "yaml"}
sys.exit(", ".join(heavy & set(sys.modules)) or 0)
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True,
                            text=True, check=False)
    assert result.returncode == 0, result.stderr
