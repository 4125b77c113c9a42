"""Schemes to send a module on a number of links: settings of the chip, and the receiver's reconstruction.

Everything goes through the emulator of the whole chip, frame by frame, and back through its frame decoder. Rows are
consecutive bunch crossings of one chip, which matters only for TS, whose frames wait in the output buffer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator import Decoded, EconT, fields
from emulator.algorithms.super_trigger_cell import TYPES
from emulator.algorithms.threshold_frames import TYPE_TRUNCATED
from emulator.chip import algorithm_block
from emulator.codes import CHARGE
from emulator.decoding import decode_stream
from emulator.output_buffer import NOTHING
from models.arrays import FloatArray, IntArray
from models.chip import N_OUTPUTS, OUTPUT_BITS, WORD_BITS, Algorithm
from models.errors import InputError
from models.register_weights import for_encoder
from models.registers import Registers
from models.trigger_cells import N_TRIGGER_CELLS, SUPER_CELLS, image_order
from models.weights import EncoderWeights
from models.wording import counted
from training.networks.decoding import decode

if TYPE_CHECKING:
    from models.compact_decoder import CompactDecoder
    from training.fit.run import Run

Decoder = Callable[[IntArray, IntArray], FloatArray]
"""Latents (n, 16), as the bits sent, and module sums (n,) -> charge fractions (n, 48) in trigger-cell order."""

MIN_THRESHOLD_CALQ = 47
"""TS threshold of the published vectors, 1.35 transverse MIP."""

BUFFER_BX = 12
"""Bunch crossings' worth of words that TS may keep waiting: the published setting, T1 = 120 words on 5 links."""

_FLUSH = 32  # empty bunch crossings after the last row, more than the buffer can hold

STC_ORDER: IntArray = SUPER_CELLS[:27].reshape(3, 9, 4)[:, [0, 2, 6, 8]].ravel()
"""Mux for STC, the trigger cell of each channel: four channels form a 2x2 block, sixteen a third of the module."""


@dataclass(frozen=True)
class Received:
    """Data received for n modules.

    charge: (n, 48) in CALQ and trigger-cell order; module_sum: (n,) as carried by the frames, NaN where they do not;
    bits: (n,) of each frame without filling, for TS in whole words; cut: (n,) whether the buffer truncated the frame;
    latent: (n, 16) for AE, as the bits sent.
    """

    charge: FloatArray
    module_sum: FloatArray
    bits: IntArray
    cut: npt.NDArray[np.bool_]
    latent: IntArray | None = None


@dataclass(frozen=True)
class Scheme:
    """One algorithm with its settings.

    `n_elinks` is the budget; the chip may run on fewer links (`registers.n_elinks`) if more are of no use. `order` is
    the trigger cell at each channel after the mux; `spread` distributes an STC sum evenly over its group instead of
    putting it at the address sent. An AE has a decoder and the digest of its weights.

    Examples:
        >>> from training.physics import Scheme, classical_schemes
        >>> best_choice = classical_schemes(2, dropped_bits=0, thresholds=(47,))[1]
        >>> isinstance(best_choice, Scheme), best_choice.name, best_choice.registers.n_elinks
        (True, 'BC', 2)
    """

    name: str
    algorithm: Algorithm
    n_elinks: int
    registers: Registers
    order: IntArray
    detail: str
    spread: bool = False
    decoder: Decoder | None = None
    latent_bits: int = 0
    weights: str = ""

    def run(self, calq: IntArray, at_once: int = 4096) -> Received:
        """Send charges (n, 48) in trigger-cell order through chip and frame decoder, `at_once` modules at a time."""
        decoded = self._decoded(calq, at_once)
        latent = decoded.columns.get("latent")
        charge = self._charge(decoded, latent)
        module_sum = np.where(decoded.module_sum < 0, np.nan, decoded.module_sum)
        cut = decoded.columns.get("type", np.zeros(len(calq), dtype=np.int64)) >= TYPE_TRUNCATED
        return Received(charge, module_sum, self._bits(decoded, cut), cut, latent)

    def frames(self, calq: IntArray) -> tuple[IntArray, Decoded]:
        """Link words (n + 32, 13) and fields of a few charges (n, 48) in trigger-cell order, until no word waits."""
        channels = np.concatenate([calq[:, self.order], np.zeros((_FLUSH, N_TRIGGER_CELLS), calq.dtype)])
        etx = EconT(self.registers).run_calq(channels).etx
        return etx, Decoded.concatenate(list(decode_stream(self.registers, [etx])))

    def _decoded(self, calq: IntArray, at_once: int) -> Decoded:
        channels = np.concatenate([calq[:, self.order], np.zeros((_FLUSH, N_TRIGGER_CELLS), calq.dtype)])

        def frames() -> Iterator[IntArray]:
            chip, bx, waiting = EconT(self.registers), 0, NOTHING
            for start in range(0, len(channels), at_once):
                sent = chip.run_calq(channels[start : start + at_once], bx, waiting)
                bx, waiting = sent.next_bx, sent.waiting
                yield sent.etx

        whole = Decoded.concatenate(list(decode_stream(self.registers, frames())))
        n = len(calq)
        return Decoded({name: column[:n] for name, column in whole.columns.items()}, whole.module_sum[:n],
                       None if whole.calq is None else whole.calq[:n])

    def _charge(self, decoded: Decoded, latent: IntArray | None) -> FloatArray:
        if decoded.calq is None:
            assert self.decoder is not None
            assert latent is not None
            return self.decoder(latent, decoded.module_sum) * decoded.module_sum[:, None]
        charge = decoded.calq.astype(np.float64)
        if self.spread:
            size = TYPES[self.registers.stc_type].group_size
            charge = np.repeat(charge.reshape(len(charge), N_TRIGGER_CELLS // size, size).mean(axis=2), size, axis=1)
        placed = np.empty_like(charge)
        placed[:, self.order] = charge
        return placed

    def _bits(self, decoded: Decoded, cut: npt.NDArray[np.bool_]) -> IntArray:
        n = len(cut)
        if self.algorithm is Algorithm.THRESHOLD_SUM:
            words = np.array([fields.n_words(fields.threshold_sum(k)) for k in range(N_TRIGGER_CELLS + 1)])
            return WORD_BITS * words[np.where(cut, 0, (decoded.columns["charge"] >= 0).sum(axis=1))]
        if self.algorithm is Algorithm.REPEATER:
            n_cells = int((decoded.columns["charge"][:1] >= 0).sum())
            return np.full(n, fields.COUNTER.bits + CHARGE.bits * n_cells)
        # Blocks of AE, BC and STC have one fixed layout, unlike the general protocol.
        layout: fields.Layout = algorithm_block(self.registers).layout  # type: ignore[attr-defined]
        return np.full(n, sum(field.width for field in layout if field.name != "unused"))


def classical_schemes(n_elinks: int, dropped_bits: int, thresholds: tuple[int, ...]) -> list[Scheme]:
    """Classical schemes on a budget of links: TS at each threshold, BC, every type of STC, and RPT.

    Examples:
        >>> from training.physics import classical_schemes
        >>> [one.name for one in classical_schemes(2, dropped_bits=0, thresholds=(47,))][:4]
        ['TS 47', 'BC', 'RPT', 'STC4 9-bit at largest']
    """
    order = np.arange(N_TRIGGER_CELLS)
    schemes = [threshold_sum(n_elinks, dropped_bits, threshold) for threshold in thresholds]
    for algorithm, detail in ((Algorithm.BEST_CHOICE, "the largest cells"), (Algorithm.REPEATER, "the first cells")):
        registers = _registers(algorithm, n_elinks, dropped_bits)
        schemes.append(Scheme(algorithm.short_name, algorithm, n_elinks, registers, order, f"{detail}, as many as fit"))
    for number, kind in enumerate(TYPES):
        links = min(n_elinks, len(kind.groups_sent))  # with more, this type sends nothing
        registers = _registers(Algorithm.SUPER_TRIGGER_CELL, links, dropped_bits, stc_type=number)
        detail = f"{kind.groups_sent[links - 1]} of {kind.n_groups} groups, on {counted(links, 'link')}"
        for spread in (False, True) if kind.address_bits else (True,):
            image = "spread over the group" if spread else "at the largest cell"
            schemes.append(Scheme(f"{kind.name} {'spread' if spread else 'at largest'}", Algorithm.SUPER_TRIGGER_CELL,
                                  n_elinks, registers, STC_ORDER, f"{detail}; {image}", spread))
    return schemes


def threshold_sum(n_elinks: int, dropped_bits: int, threshold: int, name: str = "") -> Scheme:
    """TS with one threshold for all cells."""
    registers = _registers(Algorithm.THRESHOLD_SUM, n_elinks, dropped_bits, threshold)
    return Scheme(name or f"TS {threshold}", Algorithm.THRESHOLD_SUM, n_elinks, registers, np.arange(N_TRIGGER_CELLS),
                  f"cells from {threshold} CALQ on")


def fitted_threshold_sum(n_elinks: int, dropped_bits: int, calq: IntArray, max_cut: float) -> Scheme:
    """TS with the lowest threshold at which the buffer truncates at most the fraction `max_cut` of these rows' frames.

    Found by bisection: more cells never shorten a queue, so the rate falls with the threshold, except for rare ties.
    """
    low, high = 0, int(calq.max(initial=0)) + 1  # at `high` no cell is sent
    while low < high:
        middle = (low + high) // 2
        if threshold_sum(n_elinks, dropped_bits, middle).run(calq).cut.mean() <= max_cut:
            high = middle
        else:
            low = middle + 1
    return threshold_sum(n_elinks, dropped_bits, low, f"TS {low} (cut ≤ {max_cut:.1%})")


def _registers(
    algorithm: Algorithm, n_elinks: int, dropped_bits: int, threshold: int = 0, stc_type: int = 0
) -> Registers:
    return Registers.reset().with_values({
        "MFC_ALGORITHM_SEL_DENSITY.algo.select": int(algorithm),
        "MFC_ALGORITHM_SEL_DENSITY.algo.density": 1,
        "ALGO_DROPLSB.drop_lsb": dropped_bits,
        "ALGO_THRESHOLD_VAL.threshold_val_*": threshold,
        "FMTBUF_ALL.config.eporttx_numen": n_elinks,
        "FMTBUF_ALL.config.use_sum": 1,  # the receiver needs the sum of the whole module, not of the cells left out
        "FMTBUF_ALL.config.stc_type": stc_type,
        "FMTBUF_ALL.buff_t1": 2 * n_elinks * BUFFER_BX,
        "FMTBUF_ALL.buff_t2": 511,  # T2 and T3 off, as after reset
        "FMTBUF_ALL.buff_t3": 0,
    })


def autoencoder(name: str, weights: EncoderWeights, decoder: Any) -> Scheme:
    """AE with trained weights in the chip's registers; `decoder` is a tf_keras model or a compact decoder of them.

    The chip uses its own arithmetic, whatever arithmetic the weights were trained for. Raises InputError if the chip
    does not have such outputs.
    """
    spec = weights.spec
    if spec.dense.output.width != OUTPUT_BITS or spec.dense.outputs != N_OUTPUTS:
        raise InputError(f"{name}: {spec.dense.outputs} latents in {spec.dense.output}, expected {N_OUTPUTS} of "
                         f"{OUTPUT_BITS} bits, as on the chip")

    def decoded(latent: IntArray, module_sum: IntArray) -> FloatArray:
        return decode(decoder, spec.latent.value(latent), module_sum).astype(np.float64)

    note = "" if spec.arithmetic == "chip" else ", trained for exact products but run in the chip's arithmetic"
    return Scheme(name, Algorithm.AUTOENCODER, spec.n_elinks, for_encoder(weights), image_order(),
                  f"{counted(spec.latent_bits, 'bit')} per latent{note}", decoder=decoded, latent_bits=spec.latent_bits,
                  weights=weights.digest())


def load_autoencoder(run: Run) -> Scheme:
    """AE with the weights and the decoder of a run, named after its folder.

    Examples:
        >>> from training import Run
        >>> from training.physics import load_autoencoder
        >>> scheme = load_autoencoder(Run("econ_t_5elink"))
        >>> scheme.name, scheme.n_elinks, scheme.latent_bits
        ('AE econ_t_5elink (shipped)', 5, 9)
    """
    return autoencoder(f"AE {run.name}", run.weights, run.decoder)


def compact_autoencoder(run: Run, decoder: CompactDecoder, name: str) -> Scheme:
    """AE with the weights of a run and a compact decoder of these weights, named after the folder and `name`."""
    return autoencoder(f"AE {run.name} {name}", run.weights, decoder)
