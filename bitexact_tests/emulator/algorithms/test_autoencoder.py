"""AE on 1 to 13 links: which bits of the latents the mask of each budget sends, and where they stand."""

from __future__ import annotations

import numpy as np
import pytest

from bitexact_tests.samples.charges import charges_of_any_size
from emulator import EconT, decode
from models.chip import AE_HEADER_BITS, AE_MAX_ELINKS, LINK_BITS, MAX_ELINKS, N_OUTPUTS, Revision
from models.register_weights import for_encoder
from models.spec import EncoderSpec
from models.weights import EncoderWeights

LATENT_BITS = {1: 1, 2: 3, 3: 5, 4: 7, **dict.fromkeys(range(5, 14), 9)}
CALQ = charges_of_any_size(2, 300)


def weights(n_elinks: int) -> EncoderWeights:
    return EncoderWeights.random(EncoderSpec.chip(n_elinks), seed=n_elinks, density=0.3)


@pytest.mark.parametrize("n_elinks", range(1, MAX_ELINKS + 1))
def test_latents_of_every_link_count_arrive(n_elinks: int) -> None:
    spec = EncoderSpec.chip(n_elinks)
    assert spec.latent_bits == LATENT_BITS[n_elinks]
    assert N_OUTPUTS * spec.latent_bits <= LINK_BITS * n_elinks - AE_HEADER_BITS  # the frame holds what the mask keeps
    registers = for_encoder(weights(n_elinks))
    frames = EconT(registers).run_calq(CALQ)
    latent = decode(registers, frames.etx).columns["latent"]
    np.testing.assert_array_equal(latent, frames.trace["latent_code"])
    assert latent.any() and not frames.etx[:, min(n_elinks, AE_MAX_ELINKS) :].any()


def test_frame_on_one_link() -> None:
    """Counter, sum, two of the 18 bits empty, then the highest bit of each latent, latent 15 first."""
    frames = EconT(for_encoder(weights(1))).run_calq(CALQ)
    assert frames.trace["output_code"].max() >> 8 == 1
    for word, sum_code, output in zip(frames.etx[:, 0].tolist(), frames.trace["sum_code"].tolist(),
                                      frames.trace["output_code"].tolist(), strict=True):
        bits = f"{word:032b}"
        assert int(bits[5:14], 2) == sum_code and bits[14:16] == "00"
        assert [int(bit) for bit in bits[16:]] == [code >> 8 for code in reversed(output)]


@pytest.mark.parametrize("n_elinks", range(AE_MAX_ELINKS + 1, MAX_ELINKS + 1))
def test_more_than_five_links_carry_the_frame_of_five(n_elinks: int) -> None:
    five = weights(5)
    more = EncoderWeights.from_flat(EncoderSpec.chip(n_elinks), five.flat)
    expected = EconT(for_encoder(five)).run_calq(CALQ).etx
    np.testing.assert_array_equal(EconT(for_encoder(more)).run_calq(CALQ).etx, expected)


@pytest.mark.parametrize("n_elinks", [1, 2, 5, 13])
def test_both_revisions_send_the_same_of_equal_charges(n_elinks: int) -> None:
    """Numbering of the input and maps of cells are all that differs: C++ and RTL, which have neither, serve both."""
    registers = for_encoder(weights(n_elinks))
    other = registers.converted(Revision.PRODUCTION)
    assert other.revision is Revision.PRODUCTION
    np.testing.assert_array_equal(EconT(other).run_calq(CALQ, 3500).etx, EconT(registers).run_calq(CALQ, 3500).etx)
    erx = np.random.default_rng(n_elinks).integers(0, 1 << 32, (50, 12))
    np.testing.assert_array_equal(EconT(other).calq(erx), EconT(registers).calq(erx))
    assert not np.array_equal(EconT(registers.taken_as(Revision.PRODUCTION)).calq(erx), EconT(registers).calq(erx))
