"""One module on its way equals the same module in a comparison, and its frame equals the chip's words."""

from __future__ import annotations

import numpy as np
import pytest

from bitexact_tests.samples.schemes import CALQ
from emulator import EconT
from models.errors import InputError
from training.physics.emd import emd
from training.physics.one_module import send_module
from training.physics.schemes import classical_schemes

SCHEMES = classical_schemes(3, 0, (47,))
ROW = int(np.argsort(CALQ.sum(axis=1))[len(CALQ) // 2])


def test_is_what_the_scheme_sends_and_receives() -> None:
    found = send_module(CALQ, ROW, SCHEMES, "toy")
    assert found.true == tuple(CALQ[ROW].tolist()) and len(found.transmissions) == len(SCHEMES)
    for one, scheme in zip(found.transmissions, SCHEMES, strict=True):
        received = scheme.run(CALQ[ROW : ROW + 1])
        np.testing.assert_allclose(one.charge, received.charge[0], rtol=1e-5)
        etx = EconT(scheme.registers).run_calq(CALQ[ROW : ROW + 1][:, scheme.order]).etx[0]
        n_elinks = scheme.registers.n_elinks
        assert one.words[:n_elinks] == tuple(f"{word:08x}" for word in etx[:n_elinks].tolist())
        if received.charge.any():
            assert one.emd == pytest.approx(emd(CALQ[ROW : ROW + 1], received.charge, n_processes=1)[0], rel=1e-5)
        assert one.bits == received.bits[0]


def test_a_long_frame_takes_the_words_of_several_crossings() -> None:
    """Twenty cells over threshold do not fit on one link at once."""
    calq = np.where(np.arange(48) < 20, 999, 0)[None]
    (one,) = send_module(calq, 0, classical_schemes(1, 0, (47,))[:1]).transmissions
    assert one.bits > 32 and len(one.words) == -(-one.bits // 32)
    charge = one.fields["charge"]
    assert isinstance(charge, tuple) and None not in charge[:20] and {*charge[20:]} == {None}


def test_numbers_that_a_frame_does_not_carry_are_absent() -> None:
    (one,) = send_module(CALQ, ROW, SCHEMES[:1]).transmissions
    charge = one.fields["charge"]
    assert isinstance(charge, tuple) and [number is not None for number in charge] == (CALQ[ROW] >= 47).tolist()


def test_best_is_the_smallest_emd_of_each_algorithm() -> None:
    found = send_module(CALQ, ROW, SCHEMES)
    assert [one.algorithm for one in found.best] == ["TS", "BC", "RPT", "STC"]
    stc = [one.emd for one in found.transmissions if one.algorithm == "STC" and one.emd is not None]
    assert found.best[-1].emd == min(stc)


@pytest.mark.parametrize("row", [-1, len(CALQ)])
def test_a_row_that_is_not_there_is_told(row: int) -> None:
    with pytest.raises(InputError, match=rf"--row {row}, expected 0\.\.{len(CALQ) - 1}, the rows of toy"):
        send_module(CALQ, row, SCHEMES[:1], "toy")


def test_an_empty_module_has_no_emd() -> None:
    for one in send_module(np.zeros((1, 48), int), 0, SCHEMES).transmissions:
        assert one.emd is None and not any(one.charge)
