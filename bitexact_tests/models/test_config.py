"""Configuration files: what derives from them, and one clear line for each thing that can be wrong in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitexact_tests.conftest import CONFIGS, REPOSITORY
from models.chip import LATENT_BITS
from models.config import Config
from models.errors import InputError
from models.spec import EncoderSpec
from models.yaml_file import read_yaml

TEXT = (REPOSITORY / "configs" / "econ_t_5elink.yaml").read_text()


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return Config.load(path)


def test_one_config_per_arithmetic_and_link_budget() -> None:
    found = {(Config.load(path).encoder.arithmetic, Config.load(path).encoder.n_elinks) for path in CONFIGS}
    assert found >= {(arithmetic, n) for arithmetic in ("chip", "qkeras") for n in LATENT_BITS}


def test_derived_facts(config: Config) -> None:
    spec = config.encoder
    assert spec.latent_bits == {1: 1, 2: 3, 3: 5, 4: 7}.get(spec.n_elinks, 9)
    assert bin(spec.ae_mask).count("1") == 16 * spec.latent_bits
    shapes = spec.weight_shapes
    assert shapes == {"conv_kernel": (3, 3, 1, 8), "conv_bias": (8,), "dense_kernel": (128, 16), "dense_bias": (16,)}
    assert spec.conv.padding == (0, 1)


def test_accumulators_hold_every_sum(config: Config) -> None:
    spec = config.encoder
    for data, layer, accumulator, n in [(spec.input, spec.conv, spec.conv_accumulator, 9),
                                        (spec.conv.output, spec.dense, spec.dense_accumulator, 128)]:
        cut = data.fraction_bits + layer.weight.fraction_bits - accumulator.fraction_bits
        bias_shift = accumulator.fraction_bits - layer.bias.fraction_bits
        low = n * ((data.max_code * -32) >> cut) + (-32 << bias_shift)
        high = n * ((data.max_code * 31) >> cut) + (31 << bias_shift)
        assert accumulator.min_code <= low and high <= accumulator.max_code
        assert accumulator.min_code // 2 > low or high > accumulator.max_code // 2, "one bit less would not do"


def test_sums_beyond_int32_are_refused() -> None:
    """Emulator and C++ keep them there: U1.12 x S1.15 in 128 exact products needs 37 bits."""
    content = Config.load(REPOSITORY / "configs" / "qkeras_5elink.yaml").encoder.model_dump(mode="json")
    content["conv"]["output"] = "U1.12 saturate"
    assert EncoderSpec.model_validate(content).dense_accumulator.width == 27
    content["dense"]["weight"] = "S1.15"
    with pytest.raises(ValueError, match=r"the sum of dense has 37 bits \(S10.27 .*expected at most 31"):
        EncoderSpec.model_validate(content)


def test_digest_tells_specs_apart_and_survives_a_round_trip() -> None:
    specs = [Config.load(path).encoder for path in CONFIGS]
    assert len({spec.digest() for spec in specs}) == len({str(spec) for spec in specs})
    for spec in specs:
        assert EncoderSpec.model_validate(spec.model_dump(mode="json")).digest() == spec.digest()


@given(st.integers(1, 13), st.integers(9, 12), st.integers(2, 6), st.integers(0, 9), st.integers(1, 3))
def test_any_valid_spec_has_consistent_formats(
    n_elinks: int, product_fraction: int, product_integer: int, spare: int, output_integer: int
) -> None:
    product = f"S{product_integer}.{product_fraction}"
    formats = {"weight": "S1.5", "bias": "S1.5", "product": product}
    spec = EncoderSpec.model_validate({
        "n_elinks": n_elinks, "input": "U1.7", "conv": formats | {"output": "U1.7 saturate"},
        "dense": formats | {"output": f"U{output_integer}.{max(8, spare)} half_even saturate"},
    })
    assert spec.latent.width == LATENT_BITS[min(n_elinks, 5)]
    assert spec.latent.integer_bits == spec.dense.output.integer_bits == output_integer
    assert spec.ae_mask.bit_length() == 16 * spec.dense.output.width
    assert spec.conv_accumulator.fraction_bits == product_fraction


BAD = [
    ("name: econ_t_5elink", "nam: x", r":2: unknown key 'nam'; did you mean 'name'\?"),
    ("name: econ_t_5elink", "name: a/b", r":2: name: .*given: 'a/b'"),
    ("product: S2.7", "produkt: S2.7", r":9: unknown key 'encoder.conv.produkt'; did you mean 'product'\?"),
    ("    bias: S1.5\n", "    bias: S1.5\n    zzz: 1\n", r"unknown key 'encoder.conv.zzz'; expected one of weight"),
    ("n_elinks: 5", "n_elinks: 0", r":4: encoder.n_elinks: .*given: 0"),
    ("n_elinks: 5", "n_elinks: 14", r":4: encoder.n_elinks: .*given: 14"),
    ("n_elinks: 5", "n_elinks: two", r":4: encoder.n_elinks: .*given: 'two'"),
    ("input: U1.7", "input: S1.7", r":5: encoder|:3: encoder.*unsigned"),
    ("input: U1.7", "", r"key 'encoder.input' is missing"),
    ("S2.7 ", "S2.99 ", r":9: encoder.conv.product: width 101"),
    ("S2.7 ", "S1.7 ", r":3: encoder: conv.product S1.7 .* expected S2.n"),
    ("S2.7 ", "S2.4 ", r":3: encoder: conv.product S2.4 .* between 5"),
    ("U1.8 floor saturate", "U1.7 floor saturate", r":3: encoder: dense.output U1.7 .* fewer than the 9 bits"),
    ("U1.8 floor saturate", "S1.8 floor saturate", r":11: encoder.dense: .*unsigned"),
    ("U1.8 floor saturate", "U1.9 floor saturate", r":3: encoder: dense.output U1.9 .* more fractional bits"),
    ("U1.8 floor saturate", "U1.8 flor saturate", r":15: encoder.dense.output: .*'flor' must be"),
    ("weight: S1.5", "weight: S1.19", r":3: encoder: conv.weight has 20 bits \(S1.19 .*expected at most 16"),
    ("weight: S1.5", "weight: S1.60", r":3: encoder: conv.weight has 61 bits .*expected at most 16"),
    ("bias: S1.5", "bias: S12.5", r":3: encoder: conv.bias has 17 bits .*expected at most 16"),
    ("input: U1.7", "input: U1.40", r":3: encoder: input has 41 bits .*expected at most 31"),
    ("input: U1.7", "input: U-20.51", r":3: encoder: input U-20.51 .*no less than 0 integer bits"),
    ("U1.8 floor saturate", "U30.8 floor saturate", r":3: encoder: dense.output has 38 bits .*expected at most 31"),
    ("learning_rate: 0.004", "learning_rate: .inf", r":19: training.learning_rate: .* finite .*given: inf"),
    ("  dense:", "  conv: 3\n  dense:", r":11: key 'conv' is given twice, first in line 6"),
    ("n_elinks: 5", "n_elinks: [", r": not readable as YAML"),
    ("input: U1.7", "input: &a U1.7\n  x: *a", r":6: alias \*a"),
    ("  loss: kernel", "  validation_fraction: 0.5\n  test_fraction: 0.5\n  loss: kernel",
     r":16: training: validation_fraction"),
    ("name: econ_t_5elink", "name: x\nhls: {backend: vitas}", r":3: hls.backend: .*'vitis'"),
]


@pytest.mark.parametrize(("old", "new", "message"), BAD, ids=[new.strip()[:30] for _, new, _ in BAD])
def test_bad_config_is_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(InputError, match=message) as error:
        load(tmp_path, TEXT.replace(old, new, 1))
    assert "\n" not in str(error.value) and str(tmp_path / "config.yaml") in str(error.value)


@pytest.mark.parametrize("text", ["", "- 1", "3", "\x00", "a: b: c", "[" * 5000, "name: \xff"])
def test_no_config_at_all(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"config\.yaml"):
        Config.load(path)


def test_a_configuration_by_its_name_and_the_nearest_if_it_is_none() -> None:
    assert Config.load("econ_t_5elink") == Config.load(REPOSITORY / "configs" / "econ_t_5elink.yaml")
    with pytest.raises(InputError, match=r"econ_t_5link: no such file .* did you mean 'econ_t_5elink'\?"):
        Config.load("econ_t_5link")
    with pytest.raises(FileNotFoundError):
        Config.load("configs/econ_t_5link")


def test_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("#" * (1 << 21))
    with pytest.raises(InputError, match="expected a YAML file of at most"):
        read_yaml(path)


def test_evolved_spec_is_validated() -> None:
    spec = EncoderSpec.chip(5)
    with pytest.raises(InputError, match=r"^conv\.filters: Input should be greater than or equal to 1 \(given: 0\)$"):
        spec.evolve(conv={"filters": 0})
    with pytest.raises(InputError, match=r"^unknown key 'conv\.filter'; did you mean 'filters'\?$"):
        spec.evolve(conv={"filter": 3})
    with pytest.raises(InputError, match=r"^dense\.output U1\.1 floor wrap has fewer than the 9 bits per latent of 5"):
        spec.evolve(dense={"output": "U1.1"})


def test_evolved_spec_changes_what_is_named_and_no_more() -> None:
    spec = EncoderSpec.chip(5)
    digest = spec.digest()
    other = spec.evolve(n_elinks=3, conv={"filters": 4, "weight": "S1.3"})
    assert (other.n_elinks, other.conv.filters, other.conv.weight.width) == (3, 4, 4)
    assert other.dense == spec.dense and other.conv.bias == spec.conv.bias
    assert spec.digest() == digest != other.digest()
    assert other.evolve(n_elinks=5, conv={"filters": 8, "weight": spec.conv.weight}) == spec


def test_evolved_configuration_reaches_into_sections() -> None:
    config = Config.load(CONFIGS[0])
    other = config.evolve(name="other", encoder={"dense": {"outputs": 3}}, training={"augment": {"cut": 0.1}})
    assert (other.name, other.encoder.dense.outputs, other.training.augment.cut) == ("other", 3, 0.1)
    assert other.training.augment.mix == config.training.augment.mix
    with pytest.raises(InputError, match=r"^training\.augment: cut 0\.9 \+ mix"):
        config.evolve(training={"augment": {"cut": 0.9}})
