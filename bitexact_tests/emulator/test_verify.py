"""The published test vectors of the chip, one row per set: every bit of every frame."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.conftest import SHARED_DATA
from emulator import Decoded, EconT, decode
from emulator.decoding import decode_stream
from emulator.fields import ABSENT
from emulator.links import ERX, ETX
from emulator.verify import INPUT_FILE, OUTPUT_FILE, REGISTER_FILE, find_sets, settings_of, verify_set, verify_sets
from models.chip import Algorithm
from models.errors import InputError

VECTORS = SHARED_DATA / "econt_vectors"
SETS = find_sets([VECTORS]) if VECTORS.is_dir() else [VECTORS / "none"]
every_set = pytest.mark.parametrize("folder", SETS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")


@functools.lru_cache(maxsize=1)
def erx_of(dataset: Path) -> np.ndarray:
    return ERX.read_all(dataset / INPUT_FILE)


@every_set
class TestVectors:
    """What holds for every set."""

    @pytest.fixture(autouse=True)
    def _load(self, shared_data: Path, folder: Path) -> None:
        self.erx_name = folder.parent.name
        self.erx = erx_of(folder.parent)
        self.expected = ETX.read_all(folder / OUTPUT_FILE)
        self.chip = EconT(settings_of(folder / REGISTER_FILE, self.expected)[0])

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
            np.testing.assert_array_equal(columns["latent"], trace["output_code"] & keep)
        else:
            np.testing.assert_array_equal(columns["sum"], trace["sum_code"][:, : columns["sum"].shape[1]])

    def test_decoding_in_chunks_changes_nothing(self) -> None:
        registers = self.chip.registers
        whole = decode(registers, self.expected)
        parts = Decoded.concatenate(list(decode_stream(registers, np.array_split(self.expected, 37))))
        for name, column in whole.columns.items():
            np.testing.assert_array_equal(parts.columns[name], column, err_msg=name)


def test_links_of_a_set_that_leaves_them_out_are_those_of_its_output(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "econt_vectors" / "mcDataset" / "AE_powertest"
    text = (folder / REGISTER_FILE).read_text()
    assert "eporttx_numen:\n     value: 5\n" in text
    (tmp_path / REGISTER_FILE).write_text(text.replace("    eporttx_numen:\n     value: 5\n", ""))
    (tmp_path / OUTPUT_FILE).write_bytes((folder / OUTPUT_FILE).read_bytes())
    for name, n_elinks in ((tmp_path, 5), (folder.parent / "AE_8x8_c8_S2_ele_qkeras", 2)):
        result = verify_set(name, ERX.read_all(folder.parent / INPUT_FILE))
        assert (result.exact, result.n_elinks) == (True, n_elinks)
        assert result.notes == (f"{n_elinks} links, inferred from the output: the settings leave the number out",)


def test_words_that_the_buffer_lost_are_told(shared_data: Path) -> None:
    folder = shared_data / "econt_vectors" / "counterPatternInTC_fillBuf"
    (result,) = verify_sets(find_sets([folder]))
    assert result.exact and result.notes == ("the output buffer lost words of 29 frames: T1 = 480",)


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


def test_what_a_set_needs(shared_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no vector set, expected folders with"):
        find_sets([tmp_path])
    folder = shared_data / "econt_vectors" / "mcDataset" / "RPT_13eTx"
    (tmp_path / REGISTER_FILE).write_bytes((folder / REGISTER_FILE).read_bytes())
    with pytest.raises(InputError, match=r"testInput.csv is missing, expected it here or one folder up"):
        list(verify_sets([tmp_path]))
    (tmp_path / INPUT_FILE).write_bytes((folder.parent / INPUT_FILE).read_bytes())
    with pytest.raises(FileNotFoundError):
        list(verify_sets([tmp_path]))
    (tmp_path / OUTPUT_FILE).write_text("".join((folder / OUTPUT_FILE).open().readlines()[:100]))
    with pytest.raises(InputError, match=r"testOutput.csv: 99 rows, expected 3564 as in the input"):
        list(verify_sets([tmp_path]))
