"""The QKeras model of compact decoders against their integers."""

from __future__ import annotations

import numpy as np
import pytest

from bitexact_tests.samples.decoders import FAMILIES, SPECS, fields
from emulator.compact_decoder import input_codes, trace
from models.compact_decoder import INPUT, SUM_VALUE
from models.errors import InputError

pytest.importorskip("qkeras")

from models.qkeras_decoder import build_decoder, get_weights, set_weights

# isort: split
import tf_keras


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_layer_of_the_model_equals_the_integers(name: str, family: str) -> None:
    spec = SPECS[name]
    decoder = FAMILIES[family](spec)
    codes = input_codes(spec, *fields(spec))
    model = build_decoder(spec)
    set_weights(model, decoder)
    names = [f"output_{index}" for index in range(len(spec.layers))]
    traced = tf_keras.Model(model.inputs, [model.get_layer(one).output for one in names])
    outputs = [value.numpy() for value in traced(INPUT.value(codes).astype(np.float32))]
    stages = trace(decoder, codes)
    for one, layer, output in zip(names, spec.layers, outputs, strict=True):
        np.testing.assert_array_equal(output / layer.output.lsb, stages[one], one)
    again = get_weights(model, spec, decoder.encoder)
    assert again.digest() == decoder.digest()


def test_a_new_model_leaves_no_cell_at_0() -> None:
    spec = SPECS["5 links, 3k"]
    charge = build_decoder(spec, 1)(INPUT.value(input_codes(spec, *fields(spec))).astype(np.float32)).numpy()
    assert (charge > 0).mean(axis=0).min() > 0 and 0.3 * SUM_VALUE < charge.sum(axis=1).mean() < 3 * SUM_VALUE


def test_a_weight_that_is_not_finite_is_named() -> None:
    spec = SPECS["5 links, 3k"]
    model = build_decoder(spec)
    layer = model.get_layer("dense_1")
    layer.bias.assign(np.full(layer.bias.shape, np.nan))
    with pytest.raises(InputError, match="compact_decoder: bias_1 has a value that is not finite"):
        get_weights(model, spec, "")
