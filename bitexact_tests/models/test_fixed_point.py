"""FixedPoint against the C++ types it spells, over all inputs of every format that a configuration uses."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitexact_tests.conftest import CONFIGS
from models.config import Config
from models.fixed_point import FixedPoint


def used_conversions() -> list[tuple[FixedPoint, FixedPoint]]:
    """Every (source, target) pair of formats that data passes through in any configuration."""
    pairs = set()
    for path in CONFIGS:
        spec = Config.load(path).encoder
        for data, layer, accumulator in [
            (spec.input, spec.conv, spec.conv_accumulator),
            (spec.conv.output, spec.dense, spec.dense_accumulator),
        ]:
            exact = FixedPoint(data.width + layer.weight.width, data.integer_bits + layer.weight.integer_bits, True)
            pairs |= {(exact, layer.product or exact), (exact, accumulator), (accumulator, layer.output)}
        pairs.add((spec.dense.output, spec.latent))
    return sorted(pairs, key=str)


# Formats that no configuration uses today, so that every rounding meets every overflow on both signs.
CROSSES = [
    (FixedPoint(12, 5, signed), FixedPoint(6, 3, target_signed, rounding, overflow))
    for signed in (True, False)
    for target_signed in (True, False)
    for rounding in ("floor", "half_even")
    for overflow in ("wrap", "saturate")
]

PROGRAM = """
#include <cstdint>
#include <cstdio>
%(include)s
template <class Source, class Target, int SourceWidth, int TargetWidth, bool TargetSigned>
void convert(long low, long high) {
    for (long code = low; code <= high; code++) {
        %(convert)s
        fwrite(&result, sizeof result, 1, stdout);
    }
}
int main() {
%(calls)s
}
"""
AP = {
    "include": "#include <ap_fixed.h>",
    "convert": "Source source; source.range(SourceWidth - 1, 0) = code; Target target = source;"
    " int32_t result = TargetSigned ? (int32_t)ap_int<TargetWidth>(target.range(TargetWidth - 1, 0))"
    " : (int32_t)ap_uint<TargetWidth>(target.range(TargetWidth - 1, 0));",
}
AC = {
    "include": "#include <ac_fixed.h>",
    "convert": "Source source; source.set_slc(0, ac_int<SourceWidth, true>(code)); Target target = source;"
    " int32_t result = target.template slc<TargetWidth>(0).to_int();",
}
HEADERS = {"ap": "templates/vivado/ap_types", "ac": "templates/catapult/ac_types/include"}


@pytest.mark.parametrize("family", ["ap", "ac"])
def test_all_codes_of_all_used_formats_equal_cpp(family: str, gxx: str, tmp_path: Path) -> None:
    conversions = used_conversions() + CROSSES
    assert all(source.width <= 22 for source, _ in conversions), "the test is exhaustive"
    calls = []
    for source, target in conversions:
        types = [source.as_ap(), target.as_ap()] if family == "ap" else [source.as_ac(), target.as_ac()]
        signed = str(target.signed).lower()
        calls.append(f"    convert<{types[0]}, {types[1]}, {source.width}, {target.width}, {signed}>"
                     f"({source.min_code}, {source.max_code});")
    code = tmp_path / "convert.cpp"
    code.write_text(PROGRAM % {**(AP if family == "ap" else AC), "calls": "\n".join(calls)})
    specification = importlib.util.find_spec("hls4ml")
    assert specification is not None and specification.submodule_search_locations
    include = Path(specification.submodule_search_locations[0]) / HEADERS[family]
    program = tmp_path / "convert"
    subprocess.run([gxx, "-O1", "-w", "-std=c++17", "-I", str(include), str(code), "-o", str(program)], check=True)
    output = np.frombuffer(subprocess.run([program], check=True, capture_output=True).stdout, dtype=np.int32)
    start = 0
    for source, target in conversions:
        codes = np.arange(source.min_code, source.max_code + 1)
        expected = output[start : start + codes.size]
        np.testing.assert_array_equal(target.requantize(codes, source.fraction_bits), expected, f"{source} -> {target}")
        start += codes.size
    assert start == output.size


@given(st.integers(1, 40), st.integers(-5, 45), st.booleans(), st.sampled_from(["floor", "half_even"]),
       st.sampled_from(["wrap", "saturate"]))
def test_text_form_reads_back(width: int, integer_bits: int, signed: bool, rounding: str, overflow: str) -> None:
    form = FixedPoint(width, integer_bits, signed, rounding, overflow)  # type: ignore[arg-type]
    assert FixedPoint.parse(str(form)) == form


@given(st.lists(st.integers(-(1 << 30), 1 << 30), min_size=1), st.integers(0, 10))
def test_saturating_conversion_is_the_nearest_or_lower_number(codes: list[int], fraction_bits: int) -> None:
    floor, even = (FixedPoint(12, 6, True, rounding, "saturate") for rounding in ("floor", "half_even"))
    for code in codes:
        exact = code * 2.0 ** (6 - fraction_bits)
        limited_floor = min(max(np.floor(exact), floor.min_code), floor.max_code)
        limited_even = min(max(np.rint(exact), even.min_code), even.max_code)
        assert floor.requantize(np.array([code]), fraction_bits)[0] == limited_floor
        assert even.requantize(np.array([code]), fraction_bits)[0] == limited_even


def test_quantize_saturates_and_rounds() -> None:
    form = FixedPoint.parse("S1.5 half_even saturate")
    np.testing.assert_array_equal(form.quantize([-3, 3, 0.5 / 32, 1.5 / 32, -0.5 / 32]), [-32, 31, 0, 2, 0])
    floor = FixedPoint.parse("S1.5 floor saturate")
    np.testing.assert_array_equal(floor.quantize([-3, 3, 0.9 / 32, 1.5 / 32, -0.1 / 32]), [-32, 31, 0, 1, -1])


def test_exact_accepts_grid_values_only() -> None:
    form = FixedPoint.parse("S1.5")
    np.testing.assert_array_equal(form.exact(form.value(np.arange(-32, 32)), "w"), np.arange(-32, 32))
    with pytest.raises(ValueError, match=r"w\[1\] = 0.01 .*multiple of 2\^-5"):
        form.exact([0.5, 0.01], "w")
    for outside in (1.0, -1.03125, np.nan, np.inf):
        with pytest.raises(ValueError, match=r"w\[0\]"):
            form.exact([outside], "w")


@pytest.mark.parametrize("text", ["", "1.7", "U1", "U1.7 up", "U1.7 floor half_even", "S99.9", "U0.0", None, 7])
def test_bad_format_text_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="format"):
        FixedPoint.parse(text)


def test_spellings() -> None:
    form = FixedPoint.parse("U1.8 half_even saturate")
    assert form.as_ap() == "ap_ufixed<9, 1, AP_RND_CONV, AP_SAT>"
    assert form.as_ac() == "ac_fixed<9, 1, false, AC_RND_CONV, AC_SAT>"
    assert form.as_hls4ml() == "ufixed<9,1,RND_CONV,SAT,0>"
    assert form.as_qkeras() == "quantized_relu(9, 1)"
    assert FixedPoint.parse("S1.5").as_qkeras() == "quantized_bits(6, 0, keep_negative=1, alpha=1)"
