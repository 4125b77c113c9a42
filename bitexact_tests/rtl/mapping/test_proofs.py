"""Proofs that blocks equal their description for all inputs, and that a wrong description is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtl.mapping.proofs import PROOFS, Disproved, prove

QUICK_PROOFS = [name for name in PROOFS if "product" not in name]

pytestmark = pytest.mark.usefixtures("_yosys")


@pytest.mark.parametrize("name", QUICK_PROOFS)
def test_equal_for_all_inputs(name: str) -> None:
    prove(PROOFS[name])


def test_a_wrong_description_is_disproved() -> None:
    """The block's own mistake or the description's: one input that differs is found among 2^22."""
    proof = PROOFS["5E4M encoder"]
    wrong = replace(proof, miter=proof.miter.replace("code == expected", "code == expected || value == 22'd77777"))
    prove(wrong)
    wrong = replace(proof, miter=proof.miter.replace("code == expected", "(code ^ (value == 22'd77777)) == expected"))
    with pytest.raises(Disproved, match="77777"):
        prove(wrong)
