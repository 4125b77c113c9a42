"""Registers of the chip for the settings of the scalar chip."""

from __future__ import annotations

from bitexact_tests.samples import scalar_chip
from models.chip import Algorithm
from models.register_weights import with_weights
from models.registers import Registers
from models.spec import EncoderSpec
from models.weights import EncoderWeights

SELECT = {algorithm.short_name: algorithm for algorithm in Algorithm}
WEIGHTS = EncoderWeights.random(EncoderSpec.chip(5), seed=4, density=0.3)


def registers_of(s: scalar_chip.Settings) -> Registers:
    """Registers that say the same as `s`, with the weights WEIGHTS."""
    values: dict[str, int | list[int]] = {
        "MFC_ALGORITHM_SEL_DENSITY.algo.select": SELECT[s.algorithm],
        "FMTBUF_ALL.config.eporttx_numen": s.n_elinks,
        "FMTBUF_ALL.config.use_sum": int(s.use_sum),
        "FMTBUF_ALL.config.stc_type": s.stc_type,
        "FMTBUF_ALL.tx_sync_word": s.sync_word,
        "FMTBUF_ALL.buff_t1": s.t1,
        "FMTBUF_ALL.buff_t2": s.t2,
        "FMTBUF_ALL.buff_t3": s.t3,
        "FMTBUF_ALL.mask_ae": s.mask & ((1 << 128) - 1),
        "FMTBUF_ALL.mask_ae2": s.mask >> 128,
        "ALGO_THRESHOLD_VAL.threshold_val_*": s.thresholds,
        "ALGO_DROPLSB.drop_lsb": s.drop_lsb,
    }
    return with_weights(Registers.reset(), WEIGHTS).with_values(values)
