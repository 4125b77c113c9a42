"""AE: the encoder's outputs behind the output mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from emulator import fields
from emulator.codes import FINE_SUM
from emulator.encoder import encode
from emulator.formatter import EMPTY, Decoded, Ends, Packets, Words, with_room
from models.arrays import IntArray
from models.chip import AE_HEADER_BITS, AE_MAX_ELINKS, LINK_BITS, N_OUTPUTS, OUTPUT_BITS

if TYPE_CHECKING:
    from models.weights import EncoderWeights


def capacity(n_elinks: int) -> int:
    """Bits of a frame behind counter and sum; links beyond the fifth stay empty."""
    return LINK_BITS * min(n_elinks, AE_MAX_ELINKS) - AE_HEADER_BITS


@dataclass(frozen=True)
class Autoencoder:
    """Settings of AE; bit 9 i + j of the mask is bit j of output i."""

    counter_field: ClassVar = fields.COUNTER

    n_elinks: int
    mask: int
    weights: EncoderWeights

    def sent_bits(self) -> tuple[tuple[int, ...], ...]:
        """Per output, which of its bits are sent, lowest first.

        Those are what the mask keeps, counted from the lowest bit of output 0 until the frame is full.
        """
        kept = [k for k in range(N_OUTPUTS * OUTPUT_BITS) if self.mask >> k & 1][: capacity(self.n_elinks)]
        return tuple(tuple(k % OUTPUT_BITS for k in kept if k // OUTPUT_BITS == i) for i in range(N_OUTPUTS))

    @property
    def layout(self) -> fields.Layout:
        """Fields of the frame."""
        return fields.autoencoder(tuple(map(len, self.sent_bits())), capacity(self.n_elinks))

    def run(self, calq: IntArray) -> Mapping[str, npt.NDArray[Any]]:
        """All stages of the encoder, and `sum_code`, the code of the module sum."""
        trace = encode(self.weights, calq)
        return {**trace, "sum_code": FINE_SUM.encode(trace["module_sum"])}

    def latents(self, output_code: IntArray) -> IntArray:
        """Codes that are sent, (n, 16): of each output the bits that the mask keeps, moved together."""
        output = output_code.astype(np.int64)
        codes = [(output[:, i, None] >> np.array(bits, dtype=np.int64) & 1) @ (1 << np.arange(len(bits)))
                 for i, bits in enumerate(self.sent_bits())]
        return np.stack(codes, axis=1)

    def packets(self, stages: Mapping[str, npt.NDArray[Any]], counter: IntArray) -> Packets:
        """Frames of the outputs (n, 16) that the mask keeps."""
        latent = self.latents(stages["output_code"])
        values: dict[str, IntArray] = {"bx_counter": counter, "module_sum": stages["sum_code"]}
        values |= {f"latent_{i}": latent[:, i] for i in range(N_OUTPUTS)}
        return Packets.fixed(fields.pack(self.layout, values), 2 * self.n_elinks)

    def decode(
        self, words: Words, counter: IntArray | None = None, ends: Ends = EMPTY
    ) -> tuple[Decoded, Ends]:
        """The latents as sent, and `output`: their bits back in place, zero where the mask took them."""
        values = fields.unpack(self.layout, with_room(words))
        latent = np.stack([values[f"latent_{i}"] for i in range(N_OUTPUTS)], axis=1)
        output = np.zeros((len(words), N_OUTPUTS), dtype=np.int64)
        for i, bits in enumerate(self.sent_bits()):
            for k, bit in enumerate(bits):
                output[:, i] |= (latent[:, i] >> k & 1) << bit
        columns = {"bx_counter": values["bx_counter"], "module_sum": values["module_sum"], "latent": latent,
                   "output": output}
        return Decoded(columns, FINE_SUM.estimate(values["module_sum"]), None), EMPTY
