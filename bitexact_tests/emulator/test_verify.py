"""The published test vectors of the chip, one row per set: every bit of every frame."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitexact_tests.conftest import SHARED_DATA
from emulator import Decoded, EconT, decode
from emulator.decoding import decode_stream
from emulator.fields import ABSENT
from emulator.links import ERX, ETX
from emulator.verify import INPUT_FILE, OUTPUT_FILE, REGISTER_FILE, find_sets, verify_set, verify_sets, with_links_of
from models.chip import Algorithm, Revision
from models.errors import InputError
from models.registers import Registers

COLLECTIONS = [SHARED_DATA / "econt_vectors", SHARED_DATA / "econt_vectors_production"]
SETS = [folder for folder in (find_sets(COLLECTIONS) if SHARED_DATA.is_dir() else [SHARED_DATA / "none"])
        if folder.name != "STC_type4_eTx2"]
every_set = pytest.mark.parametrize("folder", SETS, ids=lambda folder: "/".join(folder.parts[-3:]))


@functools.lru_cache(maxsize=1)
def erx_of(dataset: Path) -> np.ndarray:
    return ERX.read_all(dataset / INPUT_FILE)


@every_set
class TestVectors:
    """What holds for every set."""

    @pytest.fixture(autouse=True)
    def _load(self, shared_data: Path, folder: Path) -> None:
        self.erx_name = folder.parent.name
        self.expected = ETX.read_all(folder / OUTPUT_FILE)
        self.erx = erx_of(folder.parent)[: len(self.expected)]
        self.chip = EconT(with_links_of(Registers.load(folder / REGISTER_FILE), self.expected))

    def test_every_frame_is_exact(self, folder: Path) -> None:
        result = verify_set(folder, self.erx)
        assert result.exact, str(result.first)
        np.testing.assert_array_equal(self.chip.run(self.erx).etx, self.expected)

    def test_chunks_change_nothing(self) -> None:
        chunks = np.array_split(self.erx, 11)
        found = np.concatenate([frames.etx for frames in self.chip.stream(chunks)])
        np.testing.assert_array_equal(found, self.expected)

    def test_decoder_reads_the_chip(self) -> None:
        """The frames of the chip, read back, say what the emulator computed before it packed anything."""
        decoded = decode(self.chip.registers, self.expected)
        trace, columns = self.chip.run(self.erx).trace, decoded.columns
        whole = columns["bx_counter"] != ABSENT
        if self.chip.registers.algorithm is Algorithm.THRESHOLD_SUM:
            whole &= columns["type"] < 0b110
        assert whole.any() and (decoded.n_lost == 29) == (self.erx_name == "counterPatternInTC_fillBuf")
        if "sent" in trace:
            sent_codes = np.where(trace["sent"], trace["charge_code"], ABSENT)
            np.testing.assert_array_equal(columns["charge"][whole], sent_codes[whole])
        elif "charge_code" in trace:
            np.testing.assert_array_equal(columns["charge"], trace["charge_code"])
        elif "output_code" in trace:
            assert self.chip.registers.ae_mask == (1 << 144) - 1
            n_bits = min(32 * self.chip.registers.n_elinks - 14, 144)
            keep = np.array([sum(1 << k % 9 for k in range(n_bits) if k // 9 == i) for i in range(16)])
            np.testing.assert_array_equal(columns["output"], trace["output_code"] & keep)
        else:
            np.testing.assert_array_equal(columns["sum"], trace["sum_code"][:, : columns["sum"].shape[1]])

    def test_decoding_in_chunks_changes_nothing(self) -> None:
        registers = self.chip.registers
        whole = decode(registers, self.expected)
        parts = Decoded.concatenate(list(decode_stream(registers, np.array_split(self.expected, 37))))
        for name, column in whole.columns.items():
            np.testing.assert_array_equal(parts.columns[name], column, err_msg=name)


def copy(folder: Path, to: Path, etx: np.ndarray | None = None, registers: Registers | None = None) -> Path:
    """A set of its own folder, with another output or other settings."""
    to.mkdir(exist_ok=True)
    (to / INPUT_FILE).write_bytes((folder.parent / INPUT_FILE).read_bytes())
    if registers:
        registers.save(to / REGISTER_FILE)
    else:
        (to / REGISTER_FILE).write_bytes((folder / REGISTER_FILE).read_bytes())
    if etx is None:
        (to / OUTPUT_FILE).write_bytes((folder / OUTPUT_FILE).read_bytes())
    else:
        (to / OUTPUT_FILE).write_text(ETX.header() + ETX.rows(etx))
    return to


@pytest.mark.parametrize(("name", "link_count", "n_elinks"), [
    ("econt_vectors/mcDataset/AE_8x8_c8_S2_ele_qkeras", "", 2),
    ("econt_vectors/mcDataset/AE_powertest", "    eporttx_numen:\n     value: 5\n", 5),
    ("econt_vectors_production/mcDataset/AE", "    active_etxs: 0x1f\n", 5),
    ("econt_vectors_production/mcDataset/RPT_13eTx", "    active_etxs: 0x1FFF\n", 11),  # what its 341 bits fill
])  # fmt: skip
def test_links_of_a_set_that_leaves_them_out_are_those_of_its_output(
    shared_data: Path, tmp_path: Path, name: str, link_count: str, n_elinks: int
) -> None:
    folder = copy(shared_data / name, tmp_path / "set")
    text = (folder / REGISTER_FILE).read_text()
    assert link_count in text
    (folder / REGISTER_FILE).write_text(text.replace(link_count, ""))
    (result,) = verify_sets([folder])
    assert (result.status, result.n_elinks) == ("exact", n_elinks)
    assert result.notes == (f"{n_elinks} links, inferred from the output: the settings leave the number out",)


def test_words_that_the_buffer_lost_are_told_with_t1(shared_data: Path) -> None:
    vectors = shared_data / "econt_vectors"
    results = {result.name.split("/")[1]: result for result in verify_sets(find_sets([vectors]))}
    lost = {name: result.notes[0] for name, result in results.items() if "lost" in "".join(result.notes)}
    assert lost == {name: f"buff_t1 = {t1} is above 375, the 400 words of the output buffer less a frame: "
                          f"{n} of 3,564 frames lost words"
                    for name, t1, n in (("TS_Thr47_12eTx", 432, 0), ("TS_Thr47_13eTx", 400, 0),
                                        ("TS_Thr5_HDM_10eTx_T1480_noT2T3", 480, 29))}


def test_an_input_and_an_output_of_different_length(shared_data: Path, tmp_path: Path) -> None:
    (result,) = verify_sets([shared_data / "econt_vectors_production" / "alignment" / "RPT"])
    assert (result.status, result.n_frames) == ("exact", 3564)
    assert result.notes == ("3564 BX compared: 4094 in the input, 3564 in the output",)
    folder = copy(shared_data / "econt_vectors" / "mcDataset" / "RPT_13eTx", tmp_path / "set")
    (folder / INPUT_FILE).write_text("".join((folder / INPUT_FILE).open().readlines()[:100]))
    (result,) = verify_sets([folder])
    assert (result.status, result.n_frames, result.notes) == (
        "exact", 99, ("99 BX compared: 99 in the input, 3564 in the output",))


def test_a_revision_that_is_given(shared_data: Path) -> None:
    folder = shared_data / "econt_vectors_production" / "mcDataset" / "RPT_13eTx"
    statuses = {revision: next(verify_sets([folder], revision)).status for revision in (None, *Revision)}
    assert statuses == {None: "exact", Revision.PRODUCTION: "exact", Revision.P1: "different"}


def code_0_moved_behind(chip: EconT, erx: np.ndarray) -> np.ndarray:
    """BC on 10 links: in BX 2659 cell 0 is chosen with charge 0; 4 + 8 + 48 bits stand before the 37 codes."""
    etx = chip.run(erx).etx
    bits = "".join(f"{word:032b}" for word in etx[2659, :10].tolist())
    assert bits[12] == "1" and bits[60:67] == "0000000"
    bits = (bits[:60] + bits[67 : 60 + 7 * 37] + "0000000").ljust(320, "0")
    etx[2659, :10] = [int(bits[i : i + 32], 2) for i in range(0, 320, 32)]
    return etx


def thresholds_of(t1: int, t2: int, t3: int) -> dict[str, int | list[int]]:
    return {"FMTBUF_ALL.buff_t1": t1, "FMTBUF_ALL.buff_t2": t2, "FMTBUF_ALL.buff_t3": t3}


LINKS, TS_THRESHOLDS = "FMTBUF_ALL.config.eporttx_numen", "ALGO_THRESHOLD_VAL.threshold_val_*"
WRONG: dict[str, tuple[str, dict[str, Any], Any, str]] = {
    "TS_Thr0": ("econt_vectors/randomPatternExpInTC/TS", {TS_THRESHOLDS: 0}, {TS_THRESHOLDS: 1_000_000},
                "this is the output of TS_Thr1000000: thresholds of 1000000 in place of 0"),
    "BC_10eTx": ("econt_vectors/randomPatternExpInTC/BC_5eTx", {LINKS: 10}, code_0_moved_behind,
                 "in BX 2659 the code of a chosen cell of charge 0 stands behind the others"),
    "BC_9eTx": ("econt_vectors_production/counterPatternInTC_by2/BC_5eTx", {LINKS: 9}, {LINKS: 10},
                "this is the output of 10 links beside a setting of 9"),
} | {
    f"TS_Thr47_2eTx {thresholds}": (
        "econt_vectors/counterPatternInTC_by2/TS_Thr47_12eTx", {LINKS: 2, **thresholds_of(432, 314, 25)},
        thresholds_of(*thresholds),
        "it was not made with the T2 and T3 beside it: frames are cut from 400 waiting words on")
    for thresholds in ((400, 500, 0), (425, 500, 0), (432, 500, 0), (432, 399, 25), (432, 400, 255))
}


@pytest.mark.parametrize("name", WRONG)
def test_outputs_that_were_published_wrong_are_explained(shared_data: Path, tmp_path: Path, name: str) -> None:
    """They are known by their content alone, and only while every bit of it is what the reason says."""
    source, values, made, reason = WRONG[name]
    registers = Registers.load(shared_data / source / REGISTER_FILE).with_values(values)
    erx = erx_of((shared_data / source).parent)
    etx = made(EconT(registers), erx) if callable(made) else EconT(registers.with_values(made)).run(erx).etx
    copy(shared_data / source, tmp_path / "wrong", etx, registers)
    etx[3000, 0] ^= 1 << 9
    copy(shared_data / source, tmp_path / "wrong_otherwise", etx, registers)
    etx[3000, 0] ^= 1 << 9
    if not callable(made):
        etx = EconT(registers.with_values(made)).run(erx[1:]).etx
    other = copy(shared_data / source, tmp_path / "wrong_of_another_input", etx, registers)
    (other / INPUT_FILE).write_text(ERX.header() + ERX.rows(erx[1:]))
    results = {result.folder.name: result for result in verify_sets(find_sets([tmp_path]))}
    assert {name: result.status for name, result in results.items()} == {
        "wrong": "explained", "wrong_otherwise": "different", "wrong_of_another_input": "different"}
    assert (results["wrong"].reason, results["wrong_otherwise"].reason) == (reason, "")
    assert results["wrong"].fine and not results["wrong_otherwise"].fine
    assert results["wrong"].n_exact < 3564 and results["wrong"].first is not None


def test_a_type_without_a_published_output_is_explained(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "econt_vectors_production" / "mcDataset" / "STC_type4_eTx2"
    (result,) = verify_sets([folder])
    assert result.status == "explained" and result.fine and not result.exact
    assert result.reason.endswith("stc_type = 4: the production chip has this type, but no output of it was published; "
                                  "expected 0..3")
    copy(folder, tmp_path / "set", np.zeros((3564, 13), dtype=np.uint32))
    (result,) = verify_sets([tmp_path / "set"])
    assert result.status == "bad" and "stc_type = 4" in result.reason


BROKEN = [
    ("mcDataset/AE", 700, 2, 1 << 20, "BX 700: latent_9 expected"),
    ("mcDataset/BC_5eTx", 3, 1, 1 << 31, "BX 3: charge_"),
    ("mcDataset/STC_type3_eTx4", 4, 0, 1 << 17, "BX 4: address_5 expected 0, found 2"),
    ("mcDataset/RPT_13eTx", 8, 11, 1 << 25, "BX 8: TX_DATA_11 expected 02000000, found 00000000"),
    ("mcDataset/TS_Thr47_5eTx_MRL", 1500, 3, 1 << 17, "BX 1500, frame of BX 1491: charge_8 expected 30, found 14"),
    ("mcDataset/TS_Thr47_5eTx_MRL", 1500, 0, 1 << 24, "BX 1500, frame of BX 1490: type expected 7, found 6"),
]


@pytest.mark.parametrize(("name", "bx", "link", "flipped", "message"), BROKEN)
def test_one_flipped_bit_is_found_and_read(
    shared_data: Path, tmp_path: Path, name: str, bx: int, link: int, flipped: int, message: str
) -> None:
    folder = shared_data / "econt_vectors" / name
    etx = ETX.read_all(folder / OUTPUT_FILE)
    etx[bx, link] ^= flipped
    (tmp_path / REGISTER_FILE).write_bytes((folder / REGISTER_FILE).read_bytes())
    (tmp_path / INPUT_FILE).write_bytes((folder.parent / INPUT_FILE).read_bytes())
    (tmp_path / OUTPUT_FILE).write_text(ETX.header() + ETX.rows(etx))
    (result,) = verify_sets(find_sets([tmp_path]))
    assert (result.n_frames, result.n_exact) == (3564, 3563)
    assert message in str(result.first)


def test_sets_that_cannot_be_read_are_listed_and_the_others_compared(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "econt_vectors" / "mcDataset" / "RPT_13eTx"
    for name in ("a_good", "no_settings", "no_input", "no_output", "bad_settings", "bad_input", "bad_output", "z_good"):
        copy(source, tmp_path / name)
    (tmp_path / "no_settings" / REGISTER_FILE).unlink()
    (tmp_path / "no_input" / INPUT_FILE).unlink()
    (tmp_path / "no_output" / OUTPUT_FILE).unlink()
    (tmp_path / "bad_settings" / REGISTER_FILE).write_text("ECON-T: {RW: {FMTBUF: 1}}")
    (tmp_path / "bad_input" / INPUT_FILE).write_text(ERX.header() + "0\n")
    (tmp_path / "bad_output" / OUTPUT_FILE).write_text(ETX.header())
    results = list(verify_sets(find_sets([tmp_path])))
    assert {result.folder.name: result.reason.removeprefix(f"{result.folder}/") for result in results} == {
        "a_good": "", "z_good": "",
        "no_settings": "init.yaml is missing",
        "no_input": f"{tmp_path}/no_input: testInput.csv is missing here and one folder up",
        "no_output": "testOutput.csv is missing",
        "bad_settings": "init.yaml:1: unknown key FMTBUF; did you mean 'FMTBUF_ALL'?",
        "bad_input": "testInput.csv: line 2: 1 column, expected 12",
        "bad_output": "testOutput.csv: a header but no rows, expected 13 words per row",
    }
    assert {result.folder.name for result in results if result.exact} == {"a_good", "z_good"}
    assert all(result.status == "bad" and not result.fine for result in results if not result.exact)


def test_a_folder_without_sets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no vector set, expected folders with"):
        find_sets([tmp_path])
