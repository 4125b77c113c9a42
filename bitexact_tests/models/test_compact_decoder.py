"""Compact decoders: the largest within a budget, bounds of their sums, their files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitexact_tests.samples.decoders import FAMILIES, SPECS, fields, sized
from emulator.compact_decoder import input_codes, trace
from models.compact_decoder import INPUT, CompactDecoder, CompactSpec
from models.errors import InputError


@pytest.mark.parametrize(("macs", "n_hidden"), [(3000, 1), (3000, 2), (3000, 3), (30_000, 2), (67, 2)])
def test_the_largest_decoder_fits_and_a_wider_one_does_not(macs: int, n_hidden: int) -> None:
    spec = sized(5, macs, n_hidden)
    width = spec.sizes[1]
    assert spec.sizes == (18, *[width] * n_hidden, 48)
    assert spec.macs == 18 * width + (n_hidden - 1) * width**2 + 48 * width <= macs
    wider = width + 1
    assert 18 * wider + (n_hidden - 1) * wider**2 + 48 * wider > macs


def test_a_budget_for_nothing_names_the_least() -> None:
    with pytest.raises(InputError, match="66 multiply-accumulates, expected at least 67 for 16 latents and 2 hidden"):
        sized(5, 66)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_sum_fits_its_accumulator(name: str, family: str) -> None:
    spec = SPECS[name]
    stages = trace(FAMILIES[family](spec), input_codes(spec, *fields(spec)))
    for index, form in enumerate(spec.accumulators):
        found = stages[f"sum_{index}"]
        assert form.min_code <= found.min() and found.max() <= form.max_code
        assert form.width <= 25


def test_no_accumulator_is_wider_than_its_extremes_need() -> None:
    """All inputs and weights at their extremes reach the top bit of the first sums."""
    spec = SPECS["5 links, 3k"]
    ones = np.full((1, spec.sizes[0]), INPUT.max_code)
    form = spec.accumulators[0]
    lowest, highest = (trace(FAMILIES[name](spec), ones)["sum_0"] for name in ("lowest", "highest"))
    assert lowest.min() < form.min_code // 2 or highest.max() > form.max_code // 2


def test_file_holds_all(tmp_path: Path) -> None:
    spec = SPECS["3 links, 1k, 8 bits"]
    decoder = replace(CompactDecoder.random(spec, 4), made_from="abc")
    decoder.save(tmp_path / "compact_1k.npz")
    found = CompactDecoder.load(tmp_path / "compact_1k.npz")
    assert found.spec == spec and found.encoder == decoder.encoder and found.made_from == "abc"
    assert found.digest() == decoder.digest()
    for name, array in decoder.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
    assert CompactDecoder.is_in(tmp_path / "compact_1k.npz") and not CompactDecoder.is_in(tmp_path / "none.npz")
    np.savez(tmp_path / "float.npz", size="{}", weights=np.zeros(3, np.float32))
    (tmp_path / "text.npz").write_text("PK of some other kind")
    assert not any(CompactDecoder.is_in(path) for path in (tmp_path, tmp_path / "float.npz", tmp_path / "text.npz"))


def test_digest_is_of_spec_codes_and_encoder() -> None:
    decoder = CompactDecoder.random(SPECS["5 links, 3k"], 4)
    other = {name: array.copy() for name, array in decoder.arrays.items()}
    other["bias_2"][7] ^= 1
    others = [replace(decoder, encoder="f" * 16), replace(decoder, arrays=other),
              CompactDecoder.from_flat(sized(4, 3000), decoder.flat, decoder.encoder)]
    assert len({decoder.digest(), *(one.digest() for one in others)}) == 4


def test_another_encoder_is_refused() -> None:
    decoder = CompactDecoder.random(SPECS["5 links, 3k"], 4)
    decoder.check_encoder(f"{4:016x}", "here")
    with pytest.raises(InputError, match="here: decoder of the encoder 0000000000000004, expected one of 12"):
        decoder.check_encoder("12", "here")


@pytest.mark.parametrize(("changes", "message"), [
    ({"latent": "U1.9"}, r"latent U1\.9 floor wrap must be unsigned and have at most 9 bits"),
    ({"layers": 7}, "layers: Input should be a valid tuple"),
    ({"layers": []}, "layers: Tuple should have at least 1 item"),
    ({"layers.2.units": 47}, "layers: the last one has 47 units, expected 48"),
    ({"layers.0.product": "S3.7"}, r"layers\.0: product S3\.7 floor wrap, expected exact"),
    ({"layers.0.weight": "S1.20"}, r"layers\.0: weights of 21 bits, expected at most 16"),
    ({"layers.0.weight": "S1.15"}, r"layers\.0: sums of \d+ bits, expected at most 25"),
    ({"layers.0.units": 4000, "layers.1.units": 4096}, "multiply-accumulates, expected at most 4194304"),
    ({"width": 3}, "unknown key 'width'"),
])
def test_a_spec_of_something_else_is_one_line(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    spec = sized(5, 3000)
    content = spec.model_dump(mode="json")
    for key, value in changes.items():
        section: Any = content
        *parents, name = key.split(".")
        for parent in parents:
            section = section[int(parent) if parent.isdigit() else parent]
        section[name] = value
    np.savez(tmp_path / "bad.npz", spec=json.dumps(content), encoder="", made_from="", codes=np.zeros(3, np.int16))
    with pytest.raises(InputError, match=message) as caught:
        CompactDecoder.load(tmp_path / "bad.npz")
    assert str(caught.value).startswith(str(tmp_path / "bad.npz")) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("codes", "message"), [
    (np.zeros(3, np.int16), r"\(3,\) weight codes, expected \(2988,\)"),
    (np.zeros(2988, np.float32), "codes of type float32, expected integers"),
    (np.full(2988, 32, np.int16), r"kernel_0\[0, 0\] = 32, expected a code of S1\.5 floor wrap: -32\.\.31"),
])
def test_codes_of_something_else_are_one_line(codes: np.ndarray, message: str, tmp_path: Path) -> None:
    spec = sized(5, 3000).model_dump(mode="json")
    np.savez(tmp_path / "bad.npz", spec=json.dumps(spec), encoder="", made_from="", codes=codes)
    with pytest.raises(InputError, match=message):
        CompactDecoder.load(tmp_path / "bad.npz")


def test_repr_is_short() -> None:
    spec = sized(5, 3000)
    assert repr(spec) == "<CompactSpec 18 -> 30 -> 30 -> 48: 2,880 multiply-accumulates>"
    assert len(repr(CompactDecoder.random(spec, 1))) < 200
    assert CompactSpec.model_validate(spec.model_dump(mode="json")) == spec
