"""The whole AE chain in C++ (normaliser, encoder, mask, frame) against the published frames and the chip emulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.matrix import charges
from emulator import EconT
from emulator.links import ERX, ETX
from emulator.verify import with_links_of
from hls.backends import BACKENDS
from hls.csim import run_csim
from models.chip import ORBIT, Algorithm
from models.config import Config
from models.register_weights import encoder_weights, for_encoder
from models.registers import Registers
from models.spec import EncoderSpec
from models.weights import EncoderWeights

CONFIG = Config.load(REPOSITORY / "configs" / "econ_t_5elink.yaml")


def csim_words(registers: Registers, calq: np.ndarray, backend: str) -> np.ndarray:
    """Frame words of the C++ chain with the settings of a register file, (n, 5)."""
    words = run_csim(
        CONFIG, encoder_weights(registers, CONFIG.encoder), calq, backend, keep=["words"],
        bx=np.arange(len(calq)) % ORBIT, n_elinks=registers.n_elinks, mask=registers.ae_mask,
    )["words"]
    return words.view(np.uint32)


@pytest.mark.parametrize("backend", BACKENDS)
def test_published_frames(backend: str, gxx: str, shared_data: Path) -> None:
    sets = [path for path in sorted((shared_data / "econt_vectors").glob("*/*/init.yaml"))
            if Registers.load(path).algorithm == Algorithm.AUTOENCODER]
    assert sets
    for path in sets:
        expected = ETX.read_all(path.parent / "testOutput.csv")
        chip = EconT(with_links_of(Registers.load(path), expected))
        calq = chip.calq(ERX.read_all(path.parent.parent / "testInput.csv"))
        found = csim_words(chip.registers, calq, backend)
        np.testing.assert_array_equal(found, expected[:, :5], f"{path.parent}, {backend}")
        assert not expected[:, 5:].any()


@pytest.mark.parametrize("n_elinks", [1, 2, 3, 4, 5, 8, 13])
@pytest.mark.parametrize("backend", BACKENDS)
def test_any_mask_and_link_count(backend: str, n_elinks: int, gxx: str) -> None:
    rng = np.random.default_rng(n_elinks)
    calq = charges(300)
    weights = EncoderWeights.random(CONFIG.encoder, n_elinks, density=0.3)
    masks = [sum(1 << k for k in np.flatnonzero(rng.random(144) < density).tolist()) for density in (0, 0.3, 0.9, 1)]
    for mask in (EncoderSpec.chip(n_elinks).ae_mask, *masks):
        registers = for_encoder(weights).with_values({
            "FMTBUF_ALL.config.eporttx_numen": n_elinks, "FMTBUF_ALL.mask_ae": mask & ((1 << 128) - 1),
            "FMTBUF_ALL.mask_ae2": mask >> 128,
        })
        expected = EconT(registers).run_calq(calq).etx
        np.testing.assert_array_equal(csim_words(registers, calq, backend), expected[:, :5], f"mask {mask:036x}")
