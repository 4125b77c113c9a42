"""Compact decoders with weights to reload, in RTL, against their integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitexact_tests.samples.decoders import FAMILIES, SPECS, fields, sized
from bitexact_tests.samples.rtl import build
from emulator.compact_decoder import charge_codes
from models.compact_decoder import CompactSpec
from rtl.design.decoder import ReloadableDecoder
from rtl.simulation.decoder import charges, packed_fields, writing
from rtl.simulation.simulate import unpack


def with_layers(*changes: dict[str, Any]) -> CompactSpec:
    """The last layers of a small decoder, with changes."""
    spec = sized(2, 500)
    layers = spec.model_dump(mode="json")["layers"][-len(changes) :]
    return spec.evolve(layers=[layer | change for layer, change in zip(layers, changes, strict=True)])


# A single layer takes less time than its charges; a wide one has more lanes than there are charges; the layers of the
# last one have points, roundings, overflows and widths of their own.
CASES = SPECS | {
    "single": with_layers({}),
    "wide": with_layers({"units": 57}, {}),
    "mixed": with_layers({"units": 5, "weight": "S2.3", "bias": "S1.6", "output": "U1.4 floor wrap"},
                         {"units": 7, "weight": "S1.5", "bias": "S3.2"}, {"output": "U2.3 half_even saturate"}),
}


@pytest.mark.parametrize("name", ["single", "mixed", *(
    pytest.param(name, marks=pytest.mark.slow) for name in CASES if name not in {"single", "mixed"})])
def test_each_set_of_weights_in_turn_computes_its_integers(name: str, tmp_path: Path) -> None:
    spec = CASES[name]
    top, (latent, total) = ReloadableDecoder(spec), fields(spec, 20)
    simulation = build(top, tmp_path)
    decoders = [family(spec) for family in FAMILIES.values()]
    expected = [charge_codes(decoder, latent, total) for decoder in decoders]
    np.testing.assert_array_equal(charges(top, simulation, decoders, (latent, total), tmp_path), expected)
    assert len(np.unique(np.concatenate(expected), axis=0)) > 20


def test_modules_are_taken_when_it_is_ready_and_charges_come_in_time(tmp_path: Path) -> None:
    spec = sized(3, 500)
    top, (latent, total) = ReloadableDecoder(spec), fields(spec, 4)
    simulation, decoder = build(top, tmp_path), FAMILIES["small"](spec)
    loading = writing(top, simulation, decoder)
    clocks = simulation.idle(4 * top.interval + top.latency)
    # Two modules at once, the third after a pause; what comes while it is not ready is not taken.
    taken = np.array([0, top.interval, 2 * top.interval + 7])
    clocks["fields"] = packed_fields(top, (latent[[9]], total[[9]]), clocks["fields"].shape[1])
    clocks["valid"] = 1
    clocks["valid"][2 * top.interval : taken[2]] = 0
    clocks["valid"][taken[2] + 1 :] = 0
    clocks["fields"][taken] = packed_fields(top, (latent[5:8], total[5:8]), clocks["fields"].shape[1])
    outputs = simulation.run(np.concatenate([loading, clocks]), tmp_path)[len(loading) :]
    ready = outputs["ready"][:, 0] == 1
    assert ready[taken].all() and not ready[1 : top.interval].any() and ready[2 * top.interval : taken[2]].all()
    valid = np.flatnonzero(outputs["charge_valid"][:, 0])
    np.testing.assert_array_equal(valid, (taken[:, None] + top.latency + np.arange(48)).ravel())
    found = unpack(outputs["charge"][valid], len(top.charge), 1).reshape(3, 48)
    np.testing.assert_array_equal(found, charge_codes(decoder, latent[5:8], total[5:8]))
