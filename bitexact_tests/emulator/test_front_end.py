"""Input words to charges, against a model of one word at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bitexact_tests.samples import scalar_chip
from emulator.front_end import calibrate, unpack
from models.chip import Revision


@given(st.data())
def test_front_end_against_scalar(data: st.DataObject) -> None:
    words = data.draw(st.lists(st.integers(0, (1 << 32) - 1), min_size=12, max_size=12))
    mux = data.draw(st.lists(st.integers(0, 47), min_size=48, max_size=48))
    cal = data.draw(st.lists(st.integers(0, 4095), min_size=48, max_size=48))
    high_density = data.draw(st.booleans())
    production = data.draw(st.booleans())
    revision = Revision.PRODUCTION if production else Revision.P1
    found = calibrate(unpack(np.array([words], dtype=np.uint32), revision), np.array(mux), np.array(cal), high_density)
    np.testing.assert_array_equal(found[0], scalar_chip.front_end(words, mux, cal, high_density, production))


def test_largest_charge_fits_its_register() -> None:
    largest = calibrate(np.full((1, 48), 127), np.arange(48), np.full(48, 4095), True)
    assert largest.max() < 1 << 22
