"""The whole data path: eRx words in, eTx words out, bunch crossing by bunch crossing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emulator import front_end
from emulator.algorithms.autoencoder import Autoencoder
from emulator.algorithms.best_choice import BestChoice
from emulator.algorithms.repeater import Repeater
from emulator.algorithms.super_trigger_cell import SuperTriggerCell
from emulator.algorithms.threshold_sum import ThresholdSum
from emulator.formatter import AlgorithmBlock, Words, bx_counter
from emulator.link_words import join_words
from emulator.output_buffer import NOTHING, OutputBuffer
from emulator.trace import Trace
from models.arrays import IntArray
from models.chip import MAX_ELINKS, Algorithm, Revision
from models.registers import Registers
from models.wording import counted


def _autoencoder(registers: Registers) -> Autoencoder:
    from models.register_weights import encoder_weights  # noqa: PLC0415  (pydantic, which the others do without)

    return Autoencoder(registers.n_elinks, registers.ae_mask, encoder_weights(registers))


_BLOCKS: dict[Algorithm, Callable[[Registers], AlgorithmBlock]] = {
    Algorithm.THRESHOLD_SUM: lambda r: ThresholdSum(r.threshold, r.dropped_bits, r.use_sum, r.filling_word,
                                                       r.buffer_thresholds[0], r.revision),
    Algorithm.SUPER_TRIGGER_CELL: lambda r: SuperTriggerCell(r.n_elinks, r.stc_type, r.dropped_bits),
    Algorithm.BEST_CHOICE: lambda r: BestChoice(r.n_elinks, r.dropped_bits, r.use_sum, r.revision),
    Algorithm.REPEATER: lambda r: Repeater(r.n_elinks, r.dropped_bits),
    Algorithm.AUTOENCODER: _autoencoder,
}


def algorithm_block(registers: Registers) -> AlgorithmBlock:
    """The selected algorithm with its settings."""
    return _BLOCKS[registers.algorithm](registers)


@dataclass(frozen=True)
class Frames:
    """What the chip sends: etx (n, 13) 32-bit words, link 0 first, zero on links not in use.

    `trace` has the charges `calq` (n, 48) and the results of the algorithm; `next_bx` and `waiting` are the state from
    which the next call goes on. `n_lost` (n,) counts the words of each frame that the output buffer lost.

    Examples:
        >>> import numpy as np
        >>> from emulator import EconT
        >>> from models import Registers
        >>> frames = EconT(Registers.reset()).run_calq(np.full((4, 48), 1000))
        >>> frames
        <Frames of 4 bunch crossings before BX 4: 2 links with data, 36 words waiting>
        >>> frames.etx.shape, int(frames.n_lost.sum())
        ((4, 13), 0)
    """

    etx: npt.NDArray[np.uint32]
    trace: Trace
    next_bx: int
    waiting: Words
    n_lost: IntArray

    def __repr__(self) -> str:
        n_used = int(self.etx.any(axis=0).sum())
        return (f"<Frames of {len(self.etx)} bunch crossings before BX {self.next_bx}: "
                f"{counted(n_used, 'link')} with data, {counted(len(self.waiting), 'word')} waiting>")


@dataclass(frozen=True)
class EconT:
    """A chip with its settings; it keeps no state, `run` hands it from call to call.

    Examples:
        >>> import numpy as np
        >>> from emulator import EconT
        >>> from models.register_weights import for_encoder
        >>> from models import load_weights
        >>> chip = EconT(for_encoder(load_weights("econ_t_5elink")))
        >>> chip
        <EconT: p1 chip, AE on 5 links (registers)>
        >>> chip.run(np.zeros((4, 12), dtype=int)).etx.shape
        (4, 13)
    """

    registers: Registers

    def __repr__(self) -> str:
        return f"<EconT: {self.registers.summary()} ({self.registers.origin})>"

    @classmethod
    def from_yaml(cls, path: str | Path, revision: Revision | None = None) -> EconT:
        """A chip with the settings of a register file, and its revision unless that is given; raises InputError."""
        return cls(Registers.load(path, revision))

    def calq(self, erx: IntArray) -> npt.NDArray[np.int64]:
        """Calibrated charges (n, 48), in the order after the mux, of eRx words (n, 12)."""
        r = self.registers
        return front_end.calibrate(front_end.unpack(erx, r.revision), r.mux_select, r.calibration, r.high_density)

    def run(self, erx: IntArray, first_bx: int = 0, waiting: Words = NOTHING) -> Frames:
        """Frames for consecutive bunch crossings, eRx words (n, 12) unsigned 32-bit.

        `first_bx` numbers the first one (0 starts an orbit), `waiting` are the buffer's words from the call before.
        """
        erx = np.asarray(erx)
        if erx.shape[1:] != (front_end.N_ERX,) or erx.dtype.kind not in "iu":
            raise ValueError(f"erx is {erx.dtype}{erx.shape}, expected integers of shape (n, {front_end.N_ERX})")
        return self.run_calq(self.calq(erx), first_bx, waiting)

    def run_calq(self, calq: IntArray, first_bx: int = 0, waiting: Words = NOTHING) -> Frames:
        """As `run`, from calibrated charges (n, 48) in the order after the mux, at most 22 bits each."""
        block = algorithm_block(self.registers)
        stages = block.run(calq)
        packets = block.packets(stages, bx_counter(first_bx + np.arange(len(calq))))
        buffer = OutputBuffer(self.registers.n_elinks, *self.registers.buffer_thresholds)
        words, waiting, n_lost = buffer.send(packets, waiting)
        etx = np.zeros((len(calq), MAX_ELINKS), dtype=np.uint32)
        etx[:, : buffer.n_elinks] = join_words(words)
        return Frames(etx, Trace({"calq": calq, **stages}), first_bx + len(calq), waiting, n_lost)

    def stream(self, chunks: Iterable[IntArray], first_bx: int = 0) -> Iterator[Frames]:
        """Frames for chunks of eRx words that follow one another."""
        waiting = NOTHING
        for erx in chunks:
            frames = self.run(erx, first_bx, waiting)
            yield frames
            first_bx, waiting = frames.next_bx, frames.waiting
