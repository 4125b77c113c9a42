"""The integers of compact decoders against real numbers, exact as fractions, and rounded by Python."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bitexact_tests.samples.decoders import FAMILIES, SPECS, fields
from emulator.codes import FINE_SUM
from emulator.compact_decoder import charge_codes, input_codes, trace
from models.compact_decoder import INPUT, CompactDecoder, CompactSpec
from models.fixed_point import FixedPoint


def rounded(value: Fraction, form: FixedPoint) -> Fraction:
    """Half to even, then limited."""
    code = round(value * 2**form.fraction_bits)
    return Fraction(min(max(code, form.min_code), form.max_code), 2**form.fraction_bits)


def decoded(decoder: CompactDecoder, values: list[Fraction]) -> list[Fraction]:
    """Values of the last layer."""
    for layer, kernel, bias in decoder.layers():
        weight_lsb, bias_lsb = Fraction(layer.weight.lsb), Fraction(layer.bias.lsb)
        sums = [sum((value * int(code) * weight_lsb for value, code in zip(values, column, strict=True)),
                    int(b) * bias_lsb) for column, b in zip(kernel.T, bias, strict=True)]
        values = [rounded(max(total, Fraction(0)), layer.output) for total in sums]
    return values


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("family", FAMILIES)
def test_integers_are_the_real_numbers_of_the_formats(name: str, family: str) -> None:
    spec = SPECS[name]
    decoder = FAMILIES[family](spec)
    latent, total = fields(spec, 10)
    rows = [0, 1, 2, 5, *range(len(latent) - 10, len(latent))]
    found = charge_codes(decoder, latent, total)
    for row in rows:
        sum_code = int(total[row])
        values = [int(code) * Fraction(1, 2 ** (spec.latent.width - 1)) for code in latent[row]]
        values += [Fraction(sum_code, 256), Fraction(sum_code % 16, 16)]
        expected = [int(value * 2**spec.layers[-1].output.fraction_bits) for value in decoded(decoder, values)]
        np.testing.assert_array_equal(found[row], expected, f"row {row}")


def test_families_reach_both_limits_and_what_is_between() -> None:
    spec = SPECS["5 links, 3k"]
    codes = {family: charge_codes(make(spec), *fields(spec)) for family, make in FAMILIES.items()}
    most = spec.layers[-1].output.max_code
    assert (codes["zero"] == 0).all() and (codes["lowest"] == 0).all() and (codes["highest"] == most).any()
    assert ((codes["small"] > 0) & (codes["small"] < most)).mean() > 0.2


def test_the_code_of_the_sum_is_its_logarithm() -> None:
    """Exponent and mantissa as one number: within 0.12 of the logarithm, from 16 CALQ on."""
    spec: CompactSpec = SPECS["5 links, 3k"]
    total = np.unique(np.geomspace(16, 4_000_000, 500).astype(np.int64))
    inputs = input_codes(spec, np.zeros((len(total), 16), np.int64), FINE_SUM.encode(total))
    value = inputs[:, 16] / 16 + 3
    carried = np.log2(FINE_SUM.decode(FINE_SUM.encode(total)))
    assert (np.abs(value - carried) < 0.12).all()
    top = [int(sum_) >> int(sum_).bit_length() - 5 for sum_ in total]  # the leading one, then the mantissa
    np.testing.assert_array_equal(1 + INPUT.value(inputs[:, 17]), np.array(top) / 16)


def test_latents_are_aligned_to_the_highest_bit() -> None:
    spec = SPECS["2 links, 1k, 1 hidden"]
    inputs = input_codes(spec, np.array([[7] * 16]), np.array([0b101101011]))
    assert inputs.tolist() == [[0b111000000] * 16 + [0b101101011, 0b010110000]]


def test_stages_have_their_names() -> None:
    spec = SPECS["4 links, 2k, 3 hidden, 4 bits"]
    stages = trace(CompactDecoder.random(spec, 1), input_codes(spec, *fields(spec, 5)))
    assert list(stages) == [f"{part}_{index}" for index in range(4) for part in ("sum", "output")]
    assert stages["output_3"].shape == (24, 48)
