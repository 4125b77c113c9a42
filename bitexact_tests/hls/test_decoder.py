"""The C++ of compact decoders against their integers: every stage, every family of weights, both back ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.decoders import FAMILIES, SPECS, fields, sized
from emulator.compact_decoder import charge_codes, input_codes, trace
from hls.__main__ import app
from hls.backends import BACKENDS
from models.compact_decoder import CompactDecoder
from models.config import Config

pytest.importorskip("hls4ml")

from hls.decoder import run_decoder_csim

CONFIG = Config.load("econ_t_5elink")
CASES = [("5 links, 3k", family) for family in FAMILIES] + [(name, "small") for name in SPECS if name != "5 links, 3k"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "family"), CASES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_stage_equals_the_integers(backend: str, name: str, family: str, gxx: str) -> None:
    spec = SPECS[name]
    decoder = FAMILIES[family](spec)
    codes = input_codes(spec, *fields(spec))
    found, expected = run_decoder_csim(decoder, codes, backend, CONFIG), trace(decoder, codes)
    assert list(found) == list(expected)
    for stage, values in expected.items():
        np.testing.assert_array_equal(found[stage], values, f"{backend}, {name}, {family}: {stage}")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_small_decoder_equals_the_integers(backend: str, gxx: str) -> None:
    spec = sized(3, 300, 1)
    decoder = FAMILIES["small"](spec)
    latent, total = fields(spec)
    codes = input_codes(spec, latent, total)
    found = run_decoder_csim(decoder, codes, backend, CONFIG)
    np.testing.assert_array_equal(found["output_1"], charge_codes(decoder, latent, total))
    assert run_decoder_csim(decoder, codes[:0], backend, CONFIG)["output_1"].shape == (0, 48)
    order = np.random.default_rng(1).permutation(len(codes))
    np.testing.assert_array_equal(run_decoder_csim(decoder, codes[order], backend, CONFIG)["output_1"],
                                  found["output_1"][order])


def test_command_writes_a_project_that_says_what_it_is_of(tmp_path: Path) -> None:
    decoder = CompactDecoder.random(sized(3, 300, 1), 4)
    decoder.save(tmp_path / "compact_300.npz")
    arguments = ["convert-decoder", "--decoder", str(tmp_path / "compact_300.npz"), "--backend"]
    done = CliRunner().invoke(app, [*arguments, "vitis", "--output", str(tmp_path / "project")])
    assert done.exit_code == 0, done.output
    content = json.loads((tmp_path / "project" / "project.json").read_text())
    assert content["digest"] == decoder.digest() and content["backend"] == "vitis"
    assert CompactDecoder.load(tmp_path / "project" / "decoder.npz").digest() == decoder.digest()
    defined = (tmp_path / "project" / "firmware" / "defines.h").read_text()
    assert "typedef ap_ufixed<9,1" in defined and "ap_ufixed<10,3,AP_RND_CONV,AP_SAT" in defined
    done = CliRunner().invoke(app, [*arguments, "quartus", "--output", str(tmp_path / "none")])
    assert done.exit_code == 2 and "--backend quartus, expected vitis or catapult" in done.output
    assert not (tmp_path / "none").exists()
