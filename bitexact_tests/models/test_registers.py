"""The chip's registers: the map, register files, the encoder's weights both ways, and the I2C list."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bitexact_tests.conftest import REPOSITORY
from models.chip import ENCODER_MUX, Algorithm, Revision
from models.config import Config
from models.errors import InputError
from models.i2c import i2c_writes
from models.register_map import MEMORY_BYTES, register_map
from models.register_weights import encoder_weights, for_encoder, load_weights, with_weights
from models.registers import Registers
from models.spec import EncoderSpec
from models.weights import EncoderWeights

ANY_WEIGHTS = st.integers(0, 1 << 30).map(lambda seed: EncoderWeights.random(EncoderSpec.chip(5), seed))


def models(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "models", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


FILLING_WORDS = ("PRODUCTION.idle_pattern", "PRODUCTION.link_reset_pattern")


def published_registers(shared_data: Path) -> Any:
    """(block, register, address, bytes, reset value, parameters) of the chip's published register map."""
    content = yaml.safe_load((shared_data / "ECON_I2C_params_regmap.yaml").read_text())["ECON-T"]
    for block, row in content["RW"].items():
        for i in range(content["ninput"] if "*" in block else 1):
            base = row["addr_base"] + i * row.get("block_shift", 0)
            for name, register in row["registers"].items():
                for j in range(register.get("n_iterations", 1)):
                    value = register["value"]
                    yield (block.replace("*", str(i)), name.replace("*", str(j)),
                           base + register.get("addr_offset", 0) + j * register.get("addr_shift", 0),
                           register.get("size_byte", 1), value[j] if isinstance(value, list) else value,
                           register.get("params", {}))


def test_map_is_the_published_map(shared_data: Path) -> None:
    known, memory = register_map(), Registers.reset().memory
    n_registers = len(FILLING_WORDS)  # of the production chip
    for block, name, address, n_bytes, value, params in published_registers(shared_data):
        (slot,) = known.slots[f"{block}.{name}"]
        assert (slot.address, slot.n_bytes, slot.read(memory)) == (address, n_bytes, value), slot
        for param, row in params.items():
            (inner,) = known.slots[f"{block}.{name}.{param}"]
            assert (inner.shift, (1 << inner.bits) - 1) == (row["param_shift"], row["param_mask"]), inner
        n_registers += 1
    assert n_registers == sum(len(register.slots) for register in known.registers)


def test_no_two_registers_share_a_byte() -> None:
    used = np.zeros(MEMORY_BYTES, dtype=int)
    for register in register_map().registers:
        for slot in register.slots:
            used[slot.address : slot.address + slot.n_bytes] += 1
    assert used.max() == 1


def test_values_after_reset() -> None:
    reset = Registers.reset()
    assert reset.algorithm is Algorithm.THRESHOLD_SUM and not reset.high_density
    assert reset.n_elinks == 2 and reset.use_sum and reset.stc_type == 1
    assert reset.buffer_thresholds == (0x30, 0x1FF, 0) and reset.filling_word == 0x70F
    assert reset.ae_mask == (1 << 144) - 1 and reset.dropped_bits == 0
    np.testing.assert_array_equal(reset.mux_select, np.arange(48))
    np.testing.assert_array_equal(reset.calibration, np.full(48, 2048))
    np.testing.assert_array_equal(reset.threshold, np.zeros(48))
    assert not reset.weight_codes().any()


@pytest.mark.parametrize(("setting", "bits"), [(0, 0), (1, 1), (4, 4), (5, 0), (255, 0)])
def test_more_than_four_dropped_bits_are_none(setting: int, bits: int) -> None:
    assert Registers.reset().with_values({"ALGO_DROPLSB.drop_lsb": setting}).dropped_bits == bits


@pytest.mark.parametrize(("n_bits", "n_elinks"), [(0, 1), (18, 1), (19, 2), (48, 2), (80, 3), (112, 4), (144, 5)])
def test_links_of_an_encoder_that_names_none(n_bits: int, n_elinks: int) -> None:
    mask = (1 << n_bits) - 1
    values: dict[str, int | list[int]] = {
        "MFC_ALGORITHM_SEL_DENSITY.algo.select": Algorithm.AUTOENCODER,
        "FMTBUF_ALL.mask_ae": mask & ((1 << 128) - 1),
        "FMTBUF_ALL.mask_ae2": mask >> 128,
    }
    assert Registers.reset().with_values(values).n_elinks == n_elinks
    for name in ("FMTBUF_ALL.config.eporttx_numen", "FMTBUF_ALL.config"):
        value = 11 if name.endswith("numen") else 0xB5
        assert Registers.reset().with_values({**values, name: value}).n_elinks == 11


@settings(max_examples=30, deadline=None)
@given(ANY_WEIGHTS)
def test_weights_survive_the_registers(weights: EncoderWeights) -> None:
    held = with_weights(Registers.reset(), weights)
    np.testing.assert_array_equal(held.weight_codes(), weights.flat)
    back = encoder_weights(held, weights.spec)
    for name, codes in weights.arrays.items():
        np.testing.assert_array_equal(back.arrays[name], codes, err_msg=name)


def test_order_of_the_codes_in_memory() -> None:
    """First code in the lowest bits of the first byte, each block little end first."""
    spec = EncoderSpec.chip(5)
    codes = np.zeros(2144, dtype=np.int64)
    codes[[0, 1, 2143]] = 1, -1, -32
    held = with_weights(Registers.reset(), EncoderWeights.from_flat(spec, codes))
    assert held.read("AUTOENCODER_0INPUT.weights_byte0") == 0b111111_000001
    assert held.read("AUTOENCODER_11INPUT.weights_byte128") == 0b100000 << 42
    # Code 178 lies across the end of block 0: 1072 bits are 178 codes and 4 bits.
    codes[:] = 0
    codes[178] = -1
    held = with_weights(Registers.reset(), EncoderWeights.from_flat(spec, codes))
    assert held.read("AUTOENCODER_0INPUT.weights_byte128") == 0b1111 << 44
    assert held.read("AUTOENCODER_1INPUT.weights_byte0") == 0b11


def test_weights_of_another_shape_are_refused() -> None:
    spec = EncoderSpec.chip(5).evolve(dense={"outputs": 15})
    with pytest.raises(InputError, match=r"2015 weights, expected the 2144 codes of S1\.5 of the registers"):
        encoder_weights(Registers.reset(), spec)


def test_a_file_without_weights_is_not_a_network_of_zeros(tmp_path: Path) -> None:
    spec = EncoderSpec.chip(5)
    path = tmp_path / "init.yaml"
    settings = Registers.reset().with_values({"FMTBUF_ALL.config.eporttx_numen": 5})
    settings.save(path)
    expected = r"init\.yaml: sets no weight of the encoder, expected AUTOENCODER_0INPUT\.weights_byte0 and 107 more"
    with pytest.raises(InputError, match=expected):
        load_weights(path, spec)
    result = models("registers", "--registers", path, "--weights", tmp_path / "weights.npz")
    assert (result.returncode, (tmp_path / "weights.npz").exists()) == (2, False)
    assert re.search(expected, result.stderr)

    with_weights(settings, EncoderWeights.constant(spec, 0)).save(path)
    assert not load_weights(path, spec).flat.any()  # zeros that a file sets are weights
    content = yaml.safe_load(path.read_text())
    del content["ECON-T"]["RW"]["AUTOENCODER_7INPUT"]["registers"]["weights_byte64"]
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r"sets 107 of the 108 .*expected AUTOENCODER_7INPUT\.weights_byte64"):
        load_weights(path, spec)


def test_published_weights_pack_into_the_same_bytes(shared_data: Path, tmp_path: Path) -> None:
    files = sorted((shared_data / "econt_vectors").glob("*/AE*/init.yaml"))
    assert files
    for path in files:
        published = Registers.load(path)
        again = with_weights(Registers.reset(), encoder_weights(published))
        span = slice(0x0538, 0x0538 + 12 * 143)
        assert again.memory[span] == published.memory[span], path
        published.save(tmp_path / "again.yaml")
        assert Registers.load(tmp_path / "again.yaml") == Registers(published.memory, published.given,
                                                                    str(tmp_path / "again.yaml"))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(sorted(register_map().slots)), max_size=6), st.randoms())
def test_any_settings_survive_the_file(names: list[str], random: Any) -> None:
    import tempfile

    known = register_map().slots
    safe = [name for name in names if not name.startswith(("MFC_", "FMTBUF_ALL.config", "FMTBUF_ALL.eporttx", "PROD"))]
    values: dict[str, int | list[int]] = {
        name: [random.getrandbits(slot.bits) for slot in known[name]] for name in safe
    }
    before = Registers.reset().with_values(values)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "init.yaml"
        before.save(path)
        after = Registers.load(path)
    assert after.memory == before.memory


def test_a_register_that_is_given_whole_and_in_part_is_written_once(tmp_path: Path) -> None:
    values: dict[str, int | list[int]] = {"FMTBUF_ALL.config": 0x71, "FMTBUF_ALL.config.use_sum": 1}
    Registers.reset().with_values(values).save(tmp_path / "init.yaml")
    written = yaml.safe_load((tmp_path / "init.yaml").read_text())["ECON-T"]["RW"]["FMTBUF_ALL"]["registers"]
    assert written == {"config": {"value": 0x75}}


def test_i2c_writes_make_the_settings() -> None:
    registers = for_encoder(EncoderWeights.random(EncoderSpec.chip(3), seed=2))
    memory = bytearray(Registers.reset().memory)
    for address, data in i2c_writes(registers):
        memory[address : address + len(data)] = data
    assert bytes(memory) == registers.memory
    assert sum(len(data) for _, data in i2c_writes(registers)) == 12 * 134 + 48 + 1 + 18 + 1


def test_i2c_writes_of_the_production_chip_are_those_of_p1() -> None:
    registers = for_encoder(EncoderWeights.random(EncoderSpec.chip(3), seed=2))
    production = dict(i2c_writes(registers.converted(Revision.PRODUCTION)))
    same = dict(i2c_writes(registers)) | {0x03A9: bytes([0x0F, 0x07])}  # the filling word, which P1 has after a reset
    assert production == same


def test_settings_for_an_encoder() -> None:
    registers = for_encoder(EncoderWeights.random(EncoderSpec.chip(3), seed=2))
    assert (registers.algorithm, registers.n_elinks) == (Algorithm.AUTOENCODER, 3)
    assert registers.mux_select.tolist() == list(ENCODER_MUX) and registers.ae_mask == EncoderSpec.chip(3).ae_mask


def test_mux_of_the_published_encoder(shared_data: Path) -> None:
    published = Registers.load(shared_data / "econt_vectors" / "mcDataset" / "AE" / "init.yaml")
    assert published.mux_select.tolist() == list(ENCODER_MUX)


@pytest.mark.parametrize("n_elinks", [1, 2, 3, 4, 5])
def test_chip_spec_is_the_one_of_the_configurations(n_elinks: int) -> None:
    config = Config.load(REPOSITORY / "configs" / f"econ_t_{n_elinks}elink.yaml")
    assert EncoderSpec.chip(n_elinks) == config.encoder


FILE = """i2c:
 emulator_addr: 1
ECON-T:
 RW:
  FMTBUF_ALL:
   registers:
    buff_t1:
     value: 338
    config:
     params:
      eporttx_numen:
       param_value: 13
  MFC_MUX_SELECT:
   registers:
    mux_select_*:
     value: [{mux}]
  ALGO_DROPLSB:
   registers:
    drop_lsb:
     value: 3
""".replace("{mux}", ", ".join(map(str, range(48))))

BAD_FILES = {
    "block": ("FMTBUF_ALL", "FMTBUF_AL", r":5: unknown key FMTBUF_AL; did you mean 'FMTBUF_ALL'\?"),
    "register": ("buff_t1", "buf_t1", r":7: unknown key FMTBUF_ALL.buf_t1; did you mean 'buff_t1'\?"),
    "parameter": ("eporttx_numen", "etx_numen", r":11: unknown key FMTBUF_ALL.config.etx_numen; did you mean"),
    "too large for its bits": ("value: 3\n", "value: 300\n", r":20: ALGO_DROPLSB.drop_lsb = 300, expected 0..255"),
    "negative": ("value: 338", "value: -1", r":8: FMTBUF_ALL.buff_t1 = -1, expected 0..65535"),
    "parameter too large": ("value: 13", "value: 16", r":12: FMTBUF_ALL.config.eporttx_numen = 16, expected 1..13"),
    "links": ("value: 13", "value: 14", r":12: FMTBUF_ALL.config.eporttx_numen = 14, expected 1..13"),
    "no links": ("value: 13", "value: 0", r":12: FMTBUF_ALL.config.eporttx_numen = 0, expected 1..13"),
    "channel": ("46, 47", "46, 48", r":16: MFC_MUX_SELECT.mux_select_47 = 48, expected 0..47"),
    "channels": ("46, 47", "46", r":16: MFC_MUX_SELECT.mux_select_\*: 47 values, expected one or 48"),
    "list for one": ("value: 3\n", "value: [3, 3]\n", r":20: ALGO_DROPLSB.drop_lsb: 2 values, expected one"),
    "text": ("value: 338", "value: many", r":8: FMTBUF_ALL.buff_t1 = 'many', expected an integer"),
    "float": ("value: 338", "value: 3.5", r":8: FMTBUF_ALL.buff_t1 = 3.5, expected an integer"),
    "no value": ("\n     value: 338", " 338", r":7: FMTBUF_ALL.buff_t1 is 338, expected keys .*value"),
    "wrong key": ("value: 338", "wert: 338", r":8: unknown key FMTBUF_ALL.buff_t1.wert, expected value"),
    "wrong key of a parameter": ("param_value: 13", "wert: 13", r":12: unknown key .*numen.wert, expected param"),
    "key beside params": ("     params:", "     more: 1\n     params:", r":10: unknown key .*g.more, expected val"),
    "no value of a parameter": (":\n       param_value: 13", ": {}", r":11: .*numen is {}, expected keys"),
    "given twice": ("    drop_lsb:", "    drop_lsb: {}\n    drop_lsb:", r":20: key 'drop_lsb' is given twice"),
    "other chip": ("ECON-T:", "ECON-D:", r"one of the keys ECON-T, .*; did you mean 'ECON-T'\?"),
    "no settings": (" RW:", " RO:", r":3: key 'ECON-T.RW' is missing"),
    "two chips": ("i2c:", "ConfigAlgo:", r"both 'ECON-T' and 'ConfigAlgo' at the top, expected one dialect"),
    "no registers": ("   registers:\n    drop_lsb:", "   drop_lsb:", r":18: .*drop_lsb, expected registers"),
    "number for a name": ("    drop_lsb:", "    5: 3\n    drop_lsb:", r":19: unknown key .*B.5, expected drop"),
    "no YAML": ("ECON-T:", "ECON-T: [", r"not readable as YAML"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_one_line_for_each_bad_file(tmp_path: Path, name: str) -> None:
    old, new, message = BAD_FILES[name]
    assert old in FILE
    path = tmp_path / "init.yaml"
    path.write_text(FILE.replace(old, new, 1) if old != "value: 3\n" else FILE.replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        Registers.load(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


@pytest.mark.parametrize("algorithm", [5, 6, 7])
def test_algorithms_that_the_chip_does_not_have(algorithm: int) -> None:
    with pytest.raises(InputError, match=f"algo.select = {algorithm}, expected 0..4"):
        Registers.reset().with_values({"MFC_ALGORITHM_SEL_DENSITY.algo.select": algorithm})


def test_ways_to_write_a_setting(tmp_path: Path) -> None:
    """A parameter under `params`, under its register, or under its block; one value for all, or for one of many."""
    path = tmp_path / "init.yaml"
    for config in ("config: {params: {eporttx_numen: {param_value: 7}}}", "config: {eporttx_numen: {param_value: 7}}",
                   "eporttx_numen: {value: 7}", "config: {value: 0x75}"):
        path.write_text(f"ECON-T: {{RW: {{FMTBUF_ALL: {{registers: {{{config}}}}}}}}}\n")
        registers = Registers.load(path)
        assert (registers.n_elinks, registers.use_sum, registers.stc_type) == (7, True, 1), config
    path.write_text("ECON-T: {RW: {MFC_CAL_VAL: {registers: {cal_*: {value: 9}, cal_3: {value: 4}}},\n"
                    " AUTOENCODER_*INPUT: {registers: {weights_byte16: {value: 1}}}}}\n")
    registers = Registers.load(path)
    assert registers.calibration.tolist() == [9, 9, 9, 4] + [9] * 44
    assert [registers.read(f"AUTOENCODER_{n}INPUT.weights_byte16") for n in range(12)] == [1] * 12


def test_keys_of_the_map_set_nothing(tmp_path: Path) -> None:
    """Files that are made from the chip's map: where a parameter has no `param_value`, it keeps its value."""
    path = tmp_path / "init.yaml"
    path.write_text("""ECON-T:
 RW:
  FMTBUF_ALL:
   addr_base: 0x0564
   registers:
    config:
     addr_offset: 0
     size_byte: 2
     params:
      eporttx_numen: {param_mask: 0xf, param_shift: 0, param_value: 7}
      use_sum: {param_mask: 1, param_shift: 6}
    buff_t1: {addr_offset: 2, size_byte: 2}
""")
    registers = Registers.load(path)
    assert registers.given == {"FMTBUF_ALL.config.eporttx_numen"}
    assert registers.memory == Registers.reset().with_values({"FMTBUF_ALL.config.eporttx_numen": 7}).memory


def test_the_published_map_is_a_register_file_of_the_values_after_reset(shared_data: Path) -> None:
    registers = Registers.load(shared_data / "ECON_I2C_params_regmap.yaml")
    assert registers.memory == Registers.reset().memory and len(registers.given) > 100


@pytest.mark.parametrize("n_elinks", [1, 2, 5, 9])
def test_command_moves_weights_both_ways(tmp_path: Path, n_elinks: int) -> None:
    weights = EncoderWeights.random(EncoderSpec.chip(n_elinks), seed=n_elinks)
    weights.save(tmp_path / "weights.npz")
    there = models("registers", "--weights", tmp_path / "weights.npz", "--output", tmp_path / "init.yaml",
                   "--i2c", tmp_path / "writes.csv")
    assert there.returncode == 0, there.stderr
    registers = Registers.load(tmp_path / "init.yaml")
    assert registers.n_elinks == n_elinks
    memory = bytearray(Registers.reset().memory)
    header, *rows = (tmp_path / "writes.csv").read_text().splitlines()
    assert header == "address,bytes"
    for row in rows:
        address, data = int(row.split(",")[0], 16), bytes.fromhex(row.split(",")[1])
        memory[address : address + len(data)] = data
    assert bytes(memory) == registers.memory
    back = models("registers", "--registers", tmp_path / "init.yaml", "--weights", tmp_path / "again.npz")
    assert back.returncode == 0, back.stderr
    again = EncoderWeights.load(tmp_path / "again.npz", EncoderSpec.chip(n_elinks))
    np.testing.assert_array_equal(again.flat, weights.flat)


def test_command_changes_nothing_but_the_weights_of_a_base(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(FILE)
    weights = EncoderWeights.random(EncoderSpec.chip(5), seed=1)
    weights.save(tmp_path / "weights.npz")
    result = models("registers", "--weights", tmp_path / "weights.npz", "--registers", tmp_path / "base.yaml",
                    "--output", tmp_path / "init.yaml")
    assert result.returncode == 0, result.stderr
    changed = Registers.load(tmp_path / "init.yaml")
    assert changed.memory == with_weights(Registers.load(tmp_path / "base.yaml"), weights).memory


def test_command_takes_weights_of_a_configuration(tmp_path: Path) -> None:
    """Which one, the weights say themselves; one that is named must be theirs."""
    spec = Config.load(REPOSITORY / "configs" / "qkeras_3elink.yaml").encoder
    weights = EncoderWeights.random(spec, seed=1)
    weights.save(tmp_path / "weights.npz")
    arguments = ("registers", "--weights", tmp_path / "weights.npz", "--output", tmp_path / "init.yaml")
    refused = models(*arguments, "--config", "econ_t_3elink")
    assert refused.returncode == 2 and not (tmp_path / "init.yaml").exists()
    assert "weights are for qkeras arithmetic, not chip (spec" in refused.stderr
    for options in ((), ("--config", "qkeras_3elink")):
        taken = models(*arguments, *options)
        assert taken.returncode == 0 and "the chip cuts each product" in taken.stderr
        np.testing.assert_array_equal(Registers.load(tmp_path / "init.yaml").weight_codes(), weights.flat)


@pytest.mark.parametrize(("arguments", "message"), [
    (["--output", "init.yaml"], "nothing to read"),
    (["--weights", "weights.npz"], "nothing to read"),
    (["--registers", "init.yaml"], "nothing to write"),
    (["--registers", "init.yaml", "--weights", "weights.npz", "--i2c", "writes.csv"],
     "--weights weights.npz with --i2c, to be read or to be written"),
])  # fmt: skip
def test_command_says_what_is_missing(arguments: list[str], message: str) -> None:
    result = models("registers", *arguments)
    assert result.returncode == 2 and result.stderr.startswith(f"error: {message}: expected --")
