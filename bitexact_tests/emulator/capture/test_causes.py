"""Two captures that differ in a known way: laid over each other, counted, and the way guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from bitexact_tests.samples.captures import ALL_ONES, Etx, input_words, sent
from emulator import EconT
from emulator.capture.causes import causes
from emulator.capture.differences import differences
from emulator.capture.matching import Overlay, overlay
from models.chip import Revision
from models.registers import Registers

N = 1500
CHIPS = [("AE", 2), ("BC", 5), ("STC", 4), ("RPT", 5), ("TS", 5)]
chips = pytest.mark.parametrize(("algorithm", "n_elinks"), CHIPS)


def expected_words(algorithm: str, n_elinks: int) -> tuple[Registers, Etx]:
    registers, etx = sent(algorithm, n_elinks)
    return registers, etx[:N]


def guesses(laid: Overlay, registers: Registers | None = None, erx: Etx | None = None) -> list[str]:
    return [cause.text for cause in causes(laid, registers, erx, 0)]


def exchanged(etx: Etx) -> Etx:
    return etx[:, [1, 0, *range(2, 13)]]


def inverted(etx: Etx) -> Etx:
    etx[:, 1] ^= ALL_ONES
    return etx


def one_bit_inverted(etx: Etx) -> Etx:
    etx[:, 1] ^= np.uint32(1 << 17)
    return etx


def stuck(etx: Etx) -> Etx:
    etx[:, 0] &= ~np.uint32(1 << 20)
    return etx


def link_late(etx: Etx) -> Etx:
    etx[1:, 1] = etx[:-1, 1].copy()
    return etx


def link_dead(etx: Etx) -> Etx:
    etx[:, 1] = 0
    return etx


def single_errors(etx: Etx) -> Etx:
    etx[7, 0] ^= np.uint32(8)
    etx[900, 1] ^= np.uint32(1 << 30)
    return etx


def bursts(etx: Etx) -> Etx:
    etx[[50, 51, 52, 700], 1] ^= np.uint32(0x0FF00FF0)
    return etx


def silent(etx: Etx) -> Etx:
    etx[900:] = 0
    return etx


def exchanged_half_way(etx: Etx) -> Etx:
    etx[700:] = exchanged(etx[700:])
    return etx


def both_wires(etx: Etx) -> Etx:
    return inverted(exchanged(etx))


WIRES: Mapping[Callable[[Etx], Etx], str] = {
    exchanged: "links 0 and 1 are exchanged",
    inverted: "TX_DATA_1 is inverted",
    one_bit_inverted: "bit 17 of TX_DATA_1 is inverted",
    stuck: "bit 20 of TX_DATA_0 is stuck at 0",
    link_late: "TX_DATA_1 is 1 BX late against the other links",
    link_dead: "TX_DATA_1 is dead: it always sends 00000000",
    single_errors: "single errors on the links: 2 bits in 2 rows",
    bursts: "bursts of errors on the links: 64 bits in 4 rows",
    silent: "rows without a bit, as if nothing was sent, the first in line",
    exchanged_half_way: "links 0 and 1 are exchanged, from line 702 on, in a part of the rows",
    both_wires: "links 0 and 1 are exchanged; TX_DATA_1 is inverted",
}


@pytest.mark.parametrize("fault", WIRES, ids=lambda fault: fault.__name__)
@chips
def test_wires_and_bits(algorithm: str, n_elinks: int, fault: Callable[[Etx], Etx]) -> None:
    registers, etx = expected_words(algorithm, n_elinks)
    laid = overlay(etx, fault(etx.copy()))
    found = causes(laid, registers, None, 0)
    (text,) = [cause.text for cause in found]
    assert text.startswith(WIRES[fault]) and (text == WIRES[fault] or fault is silent)
    assert (laid.place == np.arange(N)).all()
    for cause in found:
        assert cause.n_exact in (None, cause.n_rows) and cause.n_rows >= N - 1
    assert causes(laid, None, None, 0) == found, "the same without settings"


def counter_ahead(etx: Etx) -> Etx:
    """The data of the BX before under the counter of each; the counter of BC has 4 bits, with which it ends."""
    late = etx.copy()
    late[1:] = etx[:-1]
    late[:, 0] = late[:, 0] & np.uint32(0x0FFFFFFF) | etx[:, 0] & np.uint32(0xF0000000)
    return late[1:]


def test_data_that_are_late_against_the_counter() -> None:
    registers, etx = expected_words("BC", 5)
    laid = overlay(etx, counter_ahead(etx))
    assert (laid.place == np.arange(N - 1)).all(), "laid on the data, of which there are more"
    assert guesses(laid, registers) == ["only the counter differs, by 1 BX: the data are 1 BX late against it"]


@chips
def test_equal_captures_need_no_guess(algorithm: str, n_elinks: int) -> None:
    registers, etx = expected_words(algorithm, n_elinks)
    laid = overlay(etx, etx.copy())
    assert causes(laid, registers, input_words()[:N], 0) == [] and laid.exact(laid.recorded).all()
    found = differences(etx, etx, registers, 0)
    assert (found.n_rows, found.n_frames, found.first, found.fields) == (0, 0, None, {})


@chips
def test_a_part_and_missing_rows_are_laid_where_they_belong(algorithm: str, n_elinks: int) -> None:
    _, etx = expected_words(algorithm, n_elinks)
    part = overlay(etx, etx[400:900])
    assert part.place.tolist() == list(range(400, 900)) and part.exact(part.recorded).all()
    kept = [*range(300), *range(307, N)]
    assert overlay(etx, etx[kept]).place.tolist() == kept
    later = overlay(etx, np.concatenate([np.full((3, 13), 5, np.uint32), etx]))
    assert later.place.tolist() == list(range(-3, N)) and later.n_compared == N


ALGORITHM, DENSITY = "MFC_ALGORITHM_SEL_DENSITY.algo.select", "MFC_ALGORITHM_SEL_DENSITY.algo.density"
LINKS = "FMTBUF_ALL.config.eporttx_numen"
SETTINGS: list[tuple[str, int, dict[str, int | list[int]], str, str]] = [
    ("BC", 5, {"FMTBUF_ALL.config.use_sum": 1}, "use_sum = 1, expected 0",
     "only the sum of the module differs: use_sum, or drop_lsb"),
    ("BC", 5, {"ALGO_DROPLSB.drop_lsb": 1}, "density = 1, expected 0 or drop_lsb = 1, expected 3",
     "all charges are 4 times larger: drop_lsb 2 lower, the density, or cal"),
    ("BC", 5, {LINKS: 4}, "eporttx_numen = 4, expected 5", "TX_DATA_4 is dead: it always sends 00000000"),
    ("RPT", 5, {DENSITY: 1}, "density = 1, expected 0",
     "all charges are 4 times larger: drop_lsb 2 lower, the density, or cal"),
    ("RPT", 5, {"MFC_CAL_VAL.cal_5": 1024}, "only 1 cell wrong: mux_select or cal of 5",
     "only 1 cell wrong: mux_select or cal of 5"),
    ("STC", 4, {"FMTBUF_ALL.config.stc_type": 3}, "stc_type = 3, expected 0",
     "the sums of the groups differ, their largest cells do not: stc_type, drop_lsb, density, or cal"),
    ("TS", 5, {"FMTBUF_ALL.tx_sync_word": 0x55}, "what fills the links is not: filling word 0x55, expected 0x122",
     "all frames are equal, what fills the links is not: filling word 0x55, expected 0x122"),
    ("TS", 5, {"ALGO_THRESHOLD_VAL.threshold_val_*": 40}, "threshold_val is another one, near 4",
     "the charges are right, but more cells are sent: threshold_val"),
    ("TS", 5, {"FMTBUF_ALL.buff_t1": 12}, "frames cut that should be whole: buff_t1",
     "frames cut that should be whole: buff_t1"),
    ("AE", 2, {ALGORITHM: 2}, "select = 2, expected 4",
     "the captures have nothing in common: other data, other settings, or words that are not aligned"),
]


@pytest.mark.parametrize(("algorithm", "n_elinks", "values", "tried", "seen"), SETTINGS)
def test_one_wrong_register(
    algorithm: str, n_elinks: int, values: dict[str, int | list[int]], tried: str, seen: str
) -> None:
    """With the input it is found by trying, without it the fields suggest it."""
    registers, etx = expected_words(algorithm, n_elinks)
    laid = overlay(etx, EconT(registers.with_values(values)).run(input_words()[:N]).etx)
    with_input = causes(laid, registers, input_words()[:N], 0)
    assert tried in with_input[0].text and len(with_input) == 1
    assert with_input[0].n_exact in (None, N)
    assert seen in guesses(laid, registers)[0]


def test_the_wrong_revision() -> None:
    registers, etx = expected_words("BC", 5)
    other = registers.taken_as(Revision.PRODUCTION)
    laid = overlay(etx, EconT(other).run(input_words()[:N]).etx)
    assert guesses(laid, registers, input_words()[:N]) == [
        "the chip is of revision production, the registers are for p1"]


def test_weights_that_were_not_written() -> None:
    registers, etx = expected_words("AE", 2)
    bare = registers.with_weight_codes(np.zeros_like(registers.weight_codes()))
    laid = overlay(etx, EconT(bare).run(input_words()[:N]).etx)
    assert guesses(laid, registers, input_words()[:N]) == ["all weights are 0: they were not written"]
    assert guesses(laid, registers) == ["TX_DATA_1 is dead: it always sends 00000000",
                                        "the latents differ, the sums do not: weights, or the mask of the output bits"]


def test_noise_has_nothing_in_common() -> None:
    registers, etx = expected_words("BC", 5)
    laid = overlay(etx, np.random.default_rng(1).integers(0, 1 << 32, etx.shape, dtype=np.uint32))
    assert (laid.place == np.arange(N)).all()
    for given in (None, registers):
        (text,) = guesses(laid, given)
        assert text.startswith("the captures have nothing in common")


def test_differences_are_counted() -> None:
    """By link, bit and field, and the first of them read."""
    registers, etx = expected_words("BC", 5)
    found_words = etx.copy()
    found_words[[10, 20, 30], 0] ^= np.uint32(1 << 20)  # the lowest bit of the sum
    found_words[40:60, 4] ^= np.uint32(1 << 3)
    found = differences(etx, found_words, registers, 0)
    assert (found.n_rows, found.links[[0, 4]].tolist(), found.links.sum()) == (23, [3, 20], 23)
    assert (found.bits[0, 31 - 20], found.bits[4, 31 - 3], found.bits.sum()) == (3, 20, 23)
    assert found.fields["module_sum"][0] == 3 and found.first is not None
    assert (found.first.bx, found.first.frame_bx, found.first.words[0].name) == (10, 10, "TX_DATA_0")
    differing = [row for row in found.first.fields if row.expected != row.found]
    assert [row.name for row in differing] == ["module_sum"]
    assert int(differing[0].expected) ^ int(differing[0].found) == 1
