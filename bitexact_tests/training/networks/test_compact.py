"""Compact decoders in the place of decoders in floating point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.samples.decoders import SPECS, fields
from emulator import encode
from emulator.codes import FINE_SUM
from emulator.compact_decoder import charge_codes
from models.compact_decoder import CompactDecoder
from models.config import DecoderConfig
from models.errors import InputError
from models.spec import EncoderSpec
from models.trigger_cells import to_trigger_cells
from models.weights import EncoderWeights
from training.production.toy import generate

pytest.importorskip("tensorflow")

from training.networks.decoder import build_decoder
from training.networks.decoder_file import n_macs, n_parameters
from training.networks.decoding import decode, load_decoder
from training.physics.emd import emd
from training.physics.evaluation import evaluate

SPEC = SPECS["5 links, 3k"]
ENCODER = EncoderSpec.chip(5)


def test_fractions_are_the_charges_normalised_and_an_empty_map_stays_empty() -> None:
    decoder = CompactDecoder.random(SPEC, 8, density=0.2)
    latent, total = fields(SPEC, 50)
    module_sum = FINE_SUM.decode(total)
    fractions = decode(decoder, SPEC.latent.value(latent), module_sum)
    charge = charge_codes(decoder, latent, total)
    charged = charge.any(axis=1)
    assert charged.any()
    np.testing.assert_array_equal(fractions[charged], charge[charged] / charge[charged].sum(axis=1)[:, None])
    nothing = decode(CompactDecoder.random(SPEC, 8, density=0), SPEC.latent.value(latent), module_sum)
    assert not nothing.any() and nothing.shape == (len(latent), 48)


def test_a_file_is_read_as_what_it_holds(tmp_path: Path) -> None:
    CompactDecoder.random(SPEC, 1).save(tmp_path / "compact_3k.npz")
    assert isinstance(load_decoder(tmp_path / "compact_3k.npz", ENCODER), CompactDecoder)
    with pytest.raises(InputError, match=r"compact_3k\.npz: decoder of 16 latents in U1\.8 .*, expected 16 in U1\.2"):
        load_decoder(tmp_path / "compact_3k.npz", EncoderSpec.chip(2))


def test_evaluation_is_of_the_emulator_and_the_integers() -> None:
    weights, calq = EncoderWeights.random(ENCODER, 3, density=0.3), generate(300, 5)
    decoder = CompactDecoder.random(SPEC, 3, density=0.3)
    with pytest.raises(InputError, match=f"of the encoder 0000000000000003, expected one of {weights.digest()}"):
        evaluate(weights, decoder, calq)
    own = CompactDecoder(SPEC, decoder.arrays, weights.digest())
    coded = encode(weights, calq)
    charge = charge_codes(own, coded["latent_code"], FINE_SUM.encode(coded["module_sum"]))
    found = evaluate(weights, own, calq)
    distance = emd(to_trigger_cells(calq), charge)
    assert found.emd_mean_all == pytest.approx(np.nanmean(distance), rel=1e-12)
    assert found.n_empty_output == int((~charge.any(axis=1) & calq.any(axis=1)).sum())


@pytest.mark.parametrize(("options", "macs"), [
    ({"width": 8, "layers": 2}, 18 * 8 + 8 * 8 + 8 * 48),
    ({"width": 8, "layers": 1, "members": 3, "sees_sum": False}, 3 * (16 * 8 + 8 * 48)),
    ({"width": 8, "layers": 1, "refinements": 2, "refinement_width": 4},
     18 * 8 + 8 * 48 + 2 * ((2 * 16 + 2 + 2 * 48 + 128) * 4 + 4 * 4 + 4 * 48 + 3016)),
    ({"width": 8, "layers": 1, "refinements": 3, "refinement_width": 4, "share": True},
     18 * 8 + 8 * 48 + 3 * ((2 * 16 + 2 + 2 * 48 + 128) * 4 + 4 * 4 + 4 * 48 + 3016)),
])
def test_multiply_accumulates_are_all_counted(options: dict[str, object], macs: int) -> None:
    assert n_macs(ENCODER, DecoderConfig.model_validate(options)) == macs


@pytest.mark.parametrize("options", [
    {"layers": 2, "conditions": ("eta", "wafertype"), "sees_sum": False},
    {"layers": 3, "conditions": ("wafertype", "layer"), "film": True, "members": 2},
    {"layers": 1, "refinements": 3, "refinement_width": 5}, {"layers": 1, "refinements": 2, "share": True},
    {"architecture": "cae", "conditions": ("eta",)},
], ids=str)
def test_sizes_are_those_of_the_network_that_is_built(options: dict[str, object]) -> None:
    chosen = DecoderConfig.model_validate({"width": 8, **options})
    built = build_decoder(ENCODER, chosen, 1)
    assert n_parameters(ENCODER, chosen) == built.count_params()
    macs = 0
    for layer in built.layers:
        if hasattr(layer, "kernel"):
            pixels = np.prod(layer.input_shape[1:-1], dtype=int)  # of an image; 1 of a vector
            macs += int(np.prod(layer.kernel.shape)) * len(layer.inbound_nodes) * int(pixels)
        macs += getattr(layer, "macs", 0)
    assert n_macs(ENCODER, chosen) == macs
