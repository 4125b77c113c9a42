"""Settings of the chip, as the scalar chip takes them and as registers; what the scalar chip sends."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from bitexact_tests.samples import scalar_chip
from emulator import Decoded
from models.chip import Algorithm, Revision
from models.register_weights import with_weights
from models.registers import Registers
from models.spec import EncoderSpec
from models.weights import EncoderWeights

SELECT = {algorithm.short_name: algorithm for algorithm in Algorithm}
WEIGHTS = EncoderWeights.random(EncoderSpec.chip(5), seed=4, density=0.3)


@st.composite
def chip_settings(draw: st.DrawFn, algorithm: str | None = None) -> scalar_chip.Settings:
    """Any settings, with thresholds of the buffer that fill and empty it."""
    return scalar_chip.Settings(
        algorithm=algorithm or draw(st.sampled_from(sorted(SELECT))),
        n_elinks=draw(st.integers(1, 13)),
        drop_lsb=draw(st.integers(0, 7)),
        use_sum=draw(st.booleans()),
        stc_type=draw(st.integers(0, 3)),
        thresholds=[draw(st.sampled_from([0, 1, 47, 300, 5000, 1 << 20]))] * 40 + draw(
            st.lists(st.integers(0, 1 << 22), min_size=8, max_size=8)),
        sync_word=draw(st.integers(0, 0xFFFF)),
        t1=draw(st.one_of(st.integers(26, 120), st.integers(376, 511))),
        t2=draw(st.integers(0, 60)),
        t3=draw(st.integers(0, 25)),
        mask=draw(st.one_of(st.integers(0, (1 << 144) - 1), st.sampled_from([0, (1 << 144) - 1]))),
        production=draw(st.booleans()),
    )


def registers_of(s: scalar_chip.Settings) -> Registers:
    """Registers that say the same as `s`, with the weights WEIGHTS."""
    values: dict[str, int | list[int]] = {
        "MFC_ALGORITHM_SEL_DENSITY.algo.select": SELECT[s.algorithm],
        "FMTBUF_ALL.config.eporttx_numen": s.n_elinks,
        "FMTBUF_ALL.config.use_sum": int(s.use_sum),
        "FMTBUF_ALL.config.stc_type": s.stc_type,
        "PRODUCTION.idle_pattern" if s.production else "FMTBUF_ALL.tx_sync_word": s.sync_word,
        "FMTBUF_ALL.buff_t1": s.t1,
        "FMTBUF_ALL.buff_t2": s.t2,
        "FMTBUF_ALL.buff_t3": s.t3,
        "FMTBUF_ALL.mask_ae": s.mask & ((1 << 128) - 1),
        "FMTBUF_ALL.mask_ae2": s.mask >> 128,
        "ALGO_THRESHOLD_VAL.threshold_val_*": s.thresholds,
        "ALGO_DROPLSB.drop_lsb": s.drop_lsb,
    }
    revision = Revision.PRODUCTION if s.production else Revision.P1
    return with_weights(Registers.reset(revision), WEIGHTS).with_values(values)


def expected_words(s: scalar_chip.Settings, calq: Any, trace: Any, first_bx: int = 0) -> Any:
    """The words (n, 13) of the scalar chip; the encoder's latents and sums are those of the emulator's trace."""
    n = len(calq)
    latents = trace["output_code"].tolist() if s.algorithm == "AE" else [[0] * 16] * n
    sums = trace["module_sum"].tolist() if s.algorithm == "AE" else [0] * n
    return np.array(list(scalar_chip.run(s, calq.tolist(), latents, sums, first_bx)))


def assert_same_decoded(found: Decoded, expected: Decoded) -> None:
    """Every number that was read is the same."""
    assert found.columns.keys() == expected.columns.keys()
    for name, column in expected.columns.items():
        np.testing.assert_array_equal(found.columns[name], column, err_msg=name)
    np.testing.assert_array_equal(found.module_sum, expected.module_sum)
    assert found.n_lost == expected.n_lost
    if expected.calq is not None:
        np.testing.assert_array_equal(found.calq, expected.calq)
