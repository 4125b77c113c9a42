"""Register files of every dialect: read, written and converted into each other, and one line for what is wrong."""

from __future__ import annotations

import itertools
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
from models.chip import Algorithm, Revision
from models.dialects import Dialect
from models.errors import InputError
from models.register_map import register_map
from models.register_weights import for_encoder
from models.registers import Registers
from models.spec import EncoderSpec
from models.weights import EncoderWeights

TYPED = ("algorithm", "high_density", "calibration", "threshold", "dropped_bits", "use_sum", "stc_type",
         "filling_word", "buffer_thresholds", "ae_mask", "n_elinks", "n_elinks_given")
NUMBERS = {
    "MFC_ALGORITHM_SEL_DENSITY.algo.select": st.sampled_from(Algorithm),
    "MFC_ALGORITHM_SEL_DENSITY.algo.density": st.integers(0, 1),
    "FMTBUF_ALL.config.eporttx_numen": st.integers(1, 13),
    "FMTBUF_ALL.config.use_sum": st.integers(0, 1),
    "FMTBUF_ALL.config.stc_type": st.integers(0, 3),
    "FMTBUF_ALL.buff_t1": st.integers(0, 511),
    "FMTBUF_ALL.buff_t2": st.integers(0, 511),
    "FMTBUF_ALL.buff_t3": st.integers(0, 255),
    "FMTBUF_ALL.mask_ae": st.integers(0, (1 << 128) - 1),
    "FMTBUF_ALL.mask_ae2": st.integers(0, (1 << 16) - 1),
    "ALGO_DROPLSB.drop_lsb": st.integers(0, 255),
    "MFC_CAL_VAL.cal_7": st.integers(0, 4095),
    "MFC_CAL_VAL.cal_*": st.integers(0, 4095),
    "MFC_MUX_SELECT.mux_select_3": st.integers(0, 47),
    "MFC_MUX_SELECT.mux_select_*": st.permutations(range(48)).map(list),
    "ALGO_THRESHOLD_VAL.threshold_val_*": st.lists(st.integers(0, (1 << 24) - 1), min_size=48, max_size=48),
    "AUTOENCODER_4INPUT.weights_byte32": st.integers(0, (1 << 128) - 1),
    "AUTOENCODER_*INPUT.weights_byte128": st.lists(st.integers(0, (1 << 48) - 1), min_size=12, max_size=12),
}
FILLING = {
    Revision.P1: {"FMTBUF_ALL.tx_sync_word": st.integers(0, 0xFFFF)},
    Revision.PRODUCTION: {"PRODUCTION.idle_pattern": st.integers(0, 0xFFFF)},
}


@st.composite
def registers(draw: st.DrawFn) -> Registers:
    """Any settings that every dialect can express, some of them given."""
    revision = draw(st.sampled_from(Revision))
    values = draw(st.fixed_dictionaries({}, optional={**NUMBERS, **FILLING[revision]}))
    return Registers.reset(revision).with_values(values)


def typed(settings: Registers) -> dict[str, Any]:
    """What the data path takes from the settings, the mux by the place of each code in its word."""
    highest_first = settings.revision is Revision.PRODUCTION
    places = [(mux // 4, 3 - mux % 4 if highest_first else mux % 4) for mux in settings.mux_select.tolist()]
    found = {name: getattr(settings, name) for name in TYPED} | {"mux": places, "weights": settings.weight_codes()}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in found.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dialects")


@given(registers())
def test_settings_survive_a_file_of_their_own_dialect(folder: Path, before: Registers) -> None:
    for dialect in (Dialect.of(before.revision), *([Dialect.P1_FLAT] if before.revision is Revision.P1 else [])):
        before.save(folder / "init.yaml", dialect)
        after = Registers.load(folder / "init.yaml")
        assert (after.memory, after.revision) == (before.memory, before.revision)
        assert typed(after) == typed(before)


@settings(max_examples=25)
@given(registers())
def test_settings_survive_every_way_through_the_dialects(folder: Path, first: Registers) -> None:
    """What the data path takes is the same in each."""
    for way in itertools.permutations(Dialect):
        found = first
        for dialect in way:
            found.save(folder / "init.yaml", dialect)
            found = Registers.load(folder / "init.yaml")
            assert found.revision is dialect.revision and typed(found) == typed(first), (way, dialect)


@given(registers())
def test_conversion_and_back_changes_nothing(before: Registers) -> None:
    other = next(revision for revision in Revision if revision is not before.revision)
    back = before.converted(other).converted(before.revision)
    assert typed(back) == typed(before) and back.converted(other) == before.converted(other)


@pytest.mark.parametrize("dialect", Dialect)
def test_the_chip_after_a_reset_in_every_dialect(tmp_path: Path, dialect: Dialect) -> None:
    for revision in Revision:
        reset = Registers.reset(revision)
        reset.save(tmp_path / "init.yaml", dialect)
        assert typed(Registers.load(tmp_path / "init.yaml")) == typed(reset)


P1_FILE = """Algorithm:
  Global: {select: 2, density: 1}
FormatterBuffer:
  Global:
    active_etxs: 10
    buff_t1: 338
    buff_t2: '314'
    mask_ae: 0xff
    mask_ae2: "0x8000"
    link_reset_pattern: 290
    use_sum: 1
AlgoDroplsb:
  Global: 3
AlgoThreshold: {0: 47, 47: 0x30}
Cal: {'5': 2047}
Mux: {0: 3, 1: '2', 47: 44}
Encoder:
  11: {weights_byte128: 0x10}
"""
PRODUCTION_FILE = """ConfigAlgo:
  Global: {alg_type: 2, alg_high_density: 1}
FormatterBuffer:
  Global:
    active_etxs: 0x3ff
    buff_t1: 338
    buff_t2: '314'
    keep_auto_encoder_bits: 0x8000000000000000000000000000000000ff
    idle_pattern: 290
    use_sum: 1
AlgoDroplsb:
  Global: {drop_lsb: 3}
AlgoThreshold: {0: 47, 47: 0x30}
Cal: {'5': 2047}
Mux: {0: 0, 1: '1', 47: 47}
Encoder:
  11: {weights_byte128: 0x10}
"""


def load(folder: Path, text: str, revision: Revision | None = None) -> Registers:
    (folder / "init.yaml").write_text(text)
    return Registers.load(folder / "init.yaml", revision)


def test_the_same_settings_in_both_flat_dialects(tmp_path: Path) -> None:
    p1, production = load(tmp_path, P1_FILE), load(tmp_path, PRODUCTION_FILE)
    for found in (p1, production):
        assert (found.algorithm, found.high_density, found.n_elinks) == (Algorithm.BEST_CHOICE, True, 10)
        assert found.buffer_thresholds[:2] == (338, 314) and found.ae_mask == 1 << 143 | 0xFF
        assert (found.filling_word, found.use_sum, found.dropped_bits) == (290, True, 3)
        assert found.threshold[[0, 1, 47]].tolist() == [47, 0, 48] and found.calibration[5] == 2047
        assert found.read("AUTOENCODER_11INPUT.weights_byte128") == 16
    assert (p1.revision, p1.mux_select[[0, 1, 2, 47]].tolist()) == (Revision.P1, [3, 2, 2, 44])
    assert (production.revision, production.mux_select[[0, 1, 2, 47]].tolist()) == (Revision.PRODUCTION, [0, 1, 2, 47])
    production.save(tmp_path / "written.yaml")
    written = yaml.safe_load((tmp_path / "written.yaml").read_text())
    assert written == yaml.safe_load(PRODUCTION_FILE.replace("'", "")) | {"Cal": {5: 2047}}
    p1.save(tmp_path / "written.yaml", Dialect.P1_FLAT)
    written = yaml.safe_load((tmp_path / "written.yaml").read_text())
    plain = P1_FILE.replace("'", "").replace('"', "").replace("Global: 3", "Global: {drop_lsb: 3}")
    assert written == yaml.safe_load(plain)


@pytest.mark.parametrize(("given_words", "word"), [
    ("", 0x122), ("    link_reset_pattern: 5\n", 5), ("    idle_pattern: 6\n", 6),
    ("    idle_pattern: 6\n    link_reset_pattern: 5\n", 6), ("    idle_pattern: 0x1006\n", 6),
])  # fmt: skip
def test_filling_word_of_the_production_chip(tmp_path: Path, given_words: str, word: int) -> None:
    text = PRODUCTION_FILE.replace("    idle_pattern: 290\n", given_words)
    found = load(tmp_path, text)
    assert found.filling_word == word
    found.save(tmp_path / "again.yaml")
    assert Registers.load(tmp_path / "again.yaml").memory == found.memory
    if given_words.count("\n") == 2:
        with pytest.raises(InputError, match=r"idle_pattern = 6 and .*_pattern = 5: the p1 chip has one filling"):
            found.converted(Revision.P1)
    else:
        assert found.converted(Revision.P1).filling_word == word


def test_filling_word_of_p1_under_either_name(tmp_path: Path) -> None:
    word = "    link_reset_pattern: 290\n"
    assert load(tmp_path, P1_FILE.replace(word, "    tx_sync_word: 7\n")).filling_word == 7
    assert load(tmp_path, P1_FILE.replace(word, word + "    tx_sync_word: 290\n")).filling_word == 290
    assert load(tmp_path, P1_FILE.replace(word, "")).filling_word == 0x70F  # after reset


def test_a_revision_that_is_given(tmp_path: Path) -> None:
    """It changes what the numbers of a file mean, not the numbers."""
    found = load(tmp_path, P1_FILE, Revision.PRODUCTION)
    assert found.revision is Revision.PRODUCTION and found.mux_select[[0, 1]].tolist() == [3, 2]
    assert found.filling_word == 290
    part = PRODUCTION_FILE[PRODUCTION_FILE.index("FormatterBuffer") :]
    with pytest.raises(InputError, match="expected one of the keys ECON-T, Algorithm, ConfigAlgo at the top"):
        load(tmp_path, part)
    assert load(tmp_path, part, Revision.PRODUCTION).n_elinks == 10
    with pytest.raises(InputError, match=r"active_etxs = 1023, expected 1\.\.13"):
        load(tmp_path, part, Revision.P1)


BAD_FILES = {
    "key of the other dialect": ("active_etxs: 0x3ff", "mask_ae: 1", r":5: unknown key .*Global.mask_ae, expected "),
    "misspelt": ("idle_pattern", "idle_patern", r":9: unknown key F.*idle_patern; did you mean 'idle_pattern'\?"),
    "section": ("AlgoThreshold", "AlgoTreshold", r":13: unknown key AlgoTreshold; did you mean 'AlgoThreshold'\?"),
    "channel": ("47: 0x30", "48: 0x30", r":13: unknown key AlgoThreshold.48"),
    "register of the encoder": ("weights_byte128", "weights_byte12", r":17: unknown key .*weights_byte12; did"),
    "gap in the links": ("0x3ff", "0x3fe", r":5: .*active_etxs = 0x3fe, expected the mask of the lowest links"),
    "no links": ("0x3ff", "0", r":5: F.*active_etxs = 0x0, expected the mask .* 0x1, 0x3, .. 0x1fff"),
    "too many links": ("0x3ff", "0x3fff", r":5: F.*active_etxs = 0x3fff, expected the mask"),
    "links in words": ("0x3ff", "all", r":5: F.*active_etxs = 'all', expected an integer"),
    "mask of 145 bits": ("0x8000", "0x18000", r":8: F.*keep_auto_encoder_bits = 0x18000.*expected one number of 144 b"),
    "algorithm": ("alg_type: 2", "alg_type: 5", r":2: ConfigAlgo.Global.alg_type = 5, expected 0..4"),
    "mux": ("47: 47", "47: 48", r":15: Mux.47 = 48, expected 0..47"),
    "list": ("338", "[338, 1]", r":6: F.*buff_t1: 2 values, expected one"),
    "section for a number": ("338", "{a: 1}", r":6: F.*buff_t1 = {'a': 1}, expected an integer"),
    "number for a section": ("Cal: {'5': 2047}", "Cal: 1", r":14: Cal is 1, expected keys below it: 0, 1, 2, "),
    "empty section": ("{'5': 2047}", "{}", r":14: Cal is {}, expected keys below it"),
    "type 4": ("use_sum: 1", "stc_type: 4", r":10: F.*stc_type = 4: the production chip has this type, but no output "
                                            "of it was published; expected 0..3"),
    "type 5": ("use_sum: 1", "stc_type: 5", r":10: F.*stc_type = 5, expected 0..3"),
    "two dialects": ("AlgoDroplsb", "Algorithm", r"both 'Algorithm' and 'ConfigAlgo' at the top, expected one dialect"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_one_line_for_each_bad_file(tmp_path: Path, name: str) -> None:
    old, new, message = BAD_FILES[name]
    assert PRODUCTION_FILE.count(old) == 1
    with pytest.raises(InputError, match=message) as error:
        load(tmp_path, PRODUCTION_FILE.replace(old, new))
    assert str(error.value).startswith(str(tmp_path / "init.yaml")) and "\n" not in str(error.value)


def test_two_names_that_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r":11: F.*tx_sync_word = 7 contradicts another key of the same setting"):
        load(tmp_path, P1_FILE.replace("    use_sum", "    tx_sync_word: 7\n    use_sum"))


@pytest.mark.parametrize("dialect", [Dialect.P1_FLAT, Dialect.PRODUCTION])
def test_settings_that_flat_dialects_cannot_express(tmp_path: Path, dialect: Dialect) -> None:
    reset = Registers.reset()
    for name in ("PLL_ALL.pll_bytes_27", "ETX_ALL.config_ch_3.drive_strength", "FMTBUF_ALL.config"):
        (slot,) = register_map().slots[name]
        odd = reset.with_values({name: slot.read(reset.memory) ^ 1 << 3 if slot.bits == 8 else 1})
        with pytest.raises(InputError, match=rf"{name} = \d+ cannot be said in a register file of dialect {dialect}"):
            odd.save(tmp_path / "init.yaml", dialect)
        assert not (tmp_path / "init.yaml").exists()
    whole = reset.with_values({"FMTBUF_ALL.config": 0x71, "PLL_ALL.pll_bytes_27": 0})  # nothing that a flat file lacks
    whole.save(tmp_path / "init.yaml", dialect)
    assert typed(Registers.load(tmp_path / "init.yaml")) == typed(whole)


@pytest.mark.parametrize(("revision", "name"), [
    (Revision.P1, "PRODUCTION.idle_pattern"), (Revision.PRODUCTION, "FMTBUF_ALL.tx_sync_word"),
])  # fmt: skip
def test_settings_that_a_revision_does_not_have(revision: Revision, name: str) -> None:
    with pytest.raises(InputError, match=f"the {revision} chip has no setting {name}"):
        Registers.reset(revision).with_values({name: 1})


def econ_t(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from models.command_line import main; main()", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_command_converts_a_file(tmp_path: Path) -> None:
    (tmp_path / "p1.yaml").write_text(P1_FILE)
    written = econ_t("registers", "convert", "--registers", tmp_path / "p1.yaml", "--output", tmp_path / "new.yaml",
                     "--dialect", "production")
    assert written.returncode == 0
    assert written.stderr == "p1 chip, BC on 10 links, in dialect p1-flat -> production\n"
    assert typed(Registers.load(tmp_path / "new.yaml")) == typed(Registers.load(tmp_path / "p1.yaml"))
    refused = econ_t("registers", "--dialect", "p1-flat", "convert", "--registers", tmp_path / "p1.yaml", "--output",
                     "-", "--dialect", "production")
    assert refused.returncode == 2 and refused.stderr == "error: --dialect must follow convert, not precede it\n"


def test_command_writes_weights_in_any_dialect(tmp_path: Path) -> None:
    weights = EncoderWeights.random(EncoderSpec.chip(3), seed=1)
    weights.save(tmp_path / "weights.npz")
    for dialect in Dialect:
        written = econ_t("registers", "--weights", tmp_path / "weights.npz", "--output", tmp_path / f"{dialect}.yaml",
                         "--dialect", dialect, "--i2c", tmp_path / "writes.csv")
        assert written.returncode == 0, written.stderr
        assert ("the production chip are not public" in written.stderr) == (dialect is Dialect.PRODUCTION)
        found = Registers.load(tmp_path / f"{dialect}.yaml")
        assert found.dialect is dialect and typed(found) == typed(for_encoder(weights))
    again = econ_t("registers", "--weights", tmp_path / "weights.npz", "--registers", tmp_path / "p1-flat.yaml",
                   "--output", tmp_path / "again.yaml")  # in the dialect of the file to begin with
    assert again.returncode == 0
    assert (tmp_path / "again.yaml").read_text() == (tmp_path / "p1-flat.yaml").read_text()


def test_published_files_of_every_dialect_in_every_other(shared_data: Path, tmp_path: Path) -> None:
    paths = sorted(shared_data.glob("econt_vectors*/*/*/init.yaml"))
    read = {path: Registers.load(path) for path in paths if path.parent.name != "STC_type4_eTx2"}
    assert {settings.revision for settings in read.values()} == set(Revision)
    for path, found in read.items():
        for dialect in Dialect:
            found.save(tmp_path / "init.yaml", dialect)
            assert typed(Registers.load(tmp_path / "init.yaml")) == typed(found), (path, dialect)
