"""The chip's settings: a register file in, typed values for the data path out, and the encoder's weights both ways.

The settings are kept as the bytes behind the I2C addresses, so that packing is addressing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models import register_file
from models.errors import InputError
from models.files import write_text
from models.register_map import register_map
from models.trigger_cells import N_TRIGGER_CELLS

if TYPE_CHECKING:
    from models.spec import EncoderSpec
    from models.weights import EncoderWeights

IntArray = npt.NDArray[np.int64]

MAX_ELINKS = 13
WEIGHT_BITS = 6
N_WEIGHTS = 2144
_WEIGHT_BLOCKS = tuple(f"AUTOENCODER_{n}INPUT.weights_byte0" for n in range(12))
_BLOCK_BYTES = N_WEIGHTS * WEIGHT_BITS // len(_WEIGHT_BLOCKS) // 8

ENCODER_MUX = (
    5, 6, 7, 1, 29, 28, 20, 21, 13, 4, 0, 2, 31, 30, 22, 23, 12, 14, 11, 3, 24, 27, 17, 16,
    15, 8, 9, 10, 25, 26, 19, 18, 34, 35, 43, 41, 32, 33, 42, 40, 39, 38, 44, 47, 36, 37, 45, 46,
)  # fmt: skip
"""Mux setting of the published autoencoder vectors: it brings the trigger cells into the order of the image."""


class Algorithm(IntEnum):
    """Values of `MFC_ALGORITHM_SEL_DENSITY.algo.select`."""

    THRESHOLD_SUM = 0
    SUPER_TRIGGER_CELL = 1
    BEST_CHOICE = 2
    REPEATER = 3
    AUTOENCODER = 4

    @property
    def short_name(self) -> str:
        return ("TS", "STC", "BC", "RPT", "AE")[self]


def chip_spec(n_elinks: int) -> EncoderSpec:
    """The encoder that is cast in silicon, for the latent bits of `n_elinks` (2..13) links."""
    from models.spec import EncoderSpec

    return EncoderSpec.model_validate({
        "n_elinks": n_elinks,
        "input": "U1.7",
        "conv": {"weight": "S1.5", "bias": "S1.5", "product": "S2.7", "output": "U1.7 floor saturate"},
        "dense": {"weight": "S1.5", "bias": "S1.5", "product": "S2.8", "output": "U1.8 floor saturate"},
    })


@dataclass(frozen=True)
class Registers:
    """Settings of one chip. `given` are the slots that a file set; all others have their value after reset."""

    memory: bytes
    given: frozenset[str] = frozenset()
    origin: str = "registers"

    @classmethod
    def reset(cls) -> Registers:
        return cls(bytes(register_map().reset_memory()))

    @classmethod
    def load(cls, path: str | Path) -> Registers:
        """Read a register file; raises InputError naming file, line, register, value and what was expected."""
        memory, given = register_file.read(Path(path))
        registers = cls(bytes(memory), frozenset(given), str(path))
        registers.check()
        return registers

    def check(self) -> None:
        """Raise InputError unless the chip's behaviour is defined for the settings of the data path."""
        limits = {
            "MFC_ALGORITHM_SEL_DENSITY.algo.select": range(len(Algorithm)),
            "FMTBUF_ALL.config.eporttx_numen": range(1, MAX_ELINKS + 1),
            "MFC_MUX_SELECT.mux_select_*": range(N_TRIGGER_CELLS),
        }
        for name, expected in limits.items():
            for slot in register_map().slots[name]:
                value = slot.read(self.memory)
                if value not in expected:
                    raise InputError(f"{self.origin}: {slot.name} = {value}, "
                                     f"expected {expected.start}..{expected.stop - 1}")

    def with_values(self, values: Mapping[str, int | list[int]]) -> Registers:
        """A copy with other values, by dotted names as in the map: `{"FMTBUF_ALL.buff_t1": 48}`."""
        memory, given = bytearray(self.memory), set(self.given)
        for name, value in values.items():
            given |= register_file.assign(memory, register_map().slots[name], value)
        changed = Registers(bytes(memory), frozenset(given), self.origin)
        changed.check()
        return changed

    def read(self, name: str) -> int:
        """Value of one register or parameter by its dotted name."""
        (slot,) = register_map().slots[name]
        return slot.read(self.memory)

    def read_all(self, name: str) -> IntArray:
        """Values of a repeated register, 1-d."""
        return np.array([slot.read(self.memory) for slot in register_map().slots[name]], dtype=np.int64)

    @property
    def algorithm(self) -> Algorithm:
        return Algorithm(self.read("MFC_ALGORITHM_SEL_DENSITY.algo.select"))

    @property
    def high_density(self) -> bool:
        return bool(self.read("MFC_ALGORITHM_SEL_DENSITY.algo.density"))

    @property
    def mux_select(self) -> IntArray:
        return self.read_all("MFC_MUX_SELECT.mux_select_*")

    @property
    def calibration(self) -> IntArray:
        """12-bit factors, 2048 = 1.0."""
        return self.read_all("MFC_CAL_VAL.cal_*")

    @property
    def threshold(self) -> IntArray:
        return self.read_all("ALGO_THRESHOLD_VAL.threshold_val_*")

    @property
    def dropped_bits(self) -> int:
        """Low bits dropped before a charge is encoded; the chip takes settings above 4 as 0."""
        setting = self.read("ALGO_DROPLSB.drop_lsb")
        return setting if setting <= 4 else 0

    @property
    def use_sum(self) -> bool:
        """Send the sum of all cells, not of the cells that are not sent (TS and BC)."""
        return bool(self.read("FMTBUF_ALL.config.use_sum"))

    @property
    def stc_type(self) -> int:
        return self.read("FMTBUF_ALL.config.stc_type")

    @property
    def tx_sync_word(self) -> int:
        """The 11 low bits of an idle word."""
        return self.read("FMTBUF_ALL.tx_sync_word") & 0x7FF

    @property
    def buffer_thresholds(self) -> tuple[int, int, int]:
        """T1, T2 and T3 of the output buffer, in 16-bit words."""
        t1, t2, t3 = (self.read(f"FMTBUF_ALL.buff_t{i}") for i in (1, 2, 3))
        return t1, t2, t3

    @property
    def ae_mask(self) -> int:
        """144 bits, bit 9 i + j for bit j of latent i; 1 = sent."""
        return self.read("FMTBUF_ALL.mask_ae2") << 128 | self.read("FMTBUF_ALL.mask_ae")

    @property
    def n_elinks(self) -> int:
        """eTx links in use.

        Published autoencoder settings that leave the number out were run with the fewest links that carry the bits of
        their mask; this is the only setting that does not fall back to its value after reset.
        """
        given = {"FMTBUF_ALL.config", "FMTBUF_ALL.config.eporttx_numen"} & self.given
        if self.algorithm is Algorithm.AUTOENCODER and not given:
            return next(n for n in range(1, MAX_ELINKS + 1) if 32 * n - 14 >= self.ae_mask.bit_count())
        return self.read("FMTBUF_ALL.config.eporttx_numen")

    def weight_codes(self) -> IntArray:
        """The 2144 six-bit codes in register order, as signed integers."""
        data = b"".join(self.memory[_span(name)] for name in _WEIGHT_BLOCKS)
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little").reshape(N_WEIGHTS, WEIGHT_BITS)
        code = bits.astype(np.int64) @ (1 << np.arange(WEIGHT_BITS))
        return np.asarray(code - ((code >> (WEIGHT_BITS - 1)) << WEIGHT_BITS), dtype=np.int64)

    def encoder_weights(self, spec: EncoderSpec | None = None) -> EncoderWeights:
        """The weights in these registers, for `spec` (default: the chip's own); InputError if they cannot fit it."""
        from models.weights import EncoderWeights

        spec = spec or chip_spec(max(2, self.n_elinks))
        _check_fits(spec, self.origin)
        return EncoderWeights.from_flat(spec, self.weight_codes())

    def with_weights(self, weights: EncoderWeights) -> Registers:
        """A copy that holds `weights` (S1.5 codes of 2144 parameters)."""
        _check_fits(weights.spec, "weights")
        code = weights.flat & ((1 << WEIGHT_BITS) - 1)
        bits = (code[:, None] >> np.arange(WEIGHT_BITS) & 1).astype(np.uint8)
        data = np.packbits(bits, bitorder="little").tobytes()
        memory = bytearray(self.memory)
        for n, name in enumerate(_WEIGHT_BLOCKS):
            memory[_span(name)] = data[n * _BLOCK_BYTES : (n + 1) * _BLOCK_BYTES]
        given = {slot.name for row in register_map().registers if row.family.startswith("AUTOENCODER")
                 for slot in row.slots}
        return Registers(bytes(memory), self.given | given, self.origin)

    @classmethod
    def for_encoder(cls, weights: EncoderWeights) -> Registers:
        """Settings that run `weights` on a module of high density, as in the published autoencoder vectors."""
        mask = weights.spec.ae_mask
        return cls.reset().with_weights(weights).with_values({
            "MFC_ALGORITHM_SEL_DENSITY.algo.select": Algorithm.AUTOENCODER,
            "MFC_ALGORITHM_SEL_DENSITY.algo.density": 1,
            "MFC_MUX_SELECT.mux_select_*": list(ENCODER_MUX),
            "FMTBUF_ALL.config.eporttx_numen": weights.spec.n_elinks,
            "FMTBUF_ALL.mask_ae": mask & ((1 << 128) - 1),
            "FMTBUF_ALL.mask_ae2": mask >> 128,
        })

    def save(self, path: str | Path) -> None:
        """Write a register file of all registers that were given; `-` is stdout."""
        write_text(path, register_file.as_text(self.memory, self.given))

    def i2c_writes(self) -> Iterator[tuple[int, bytes]]:
        """The writes that bring these settings into a chip: (address, bytes), one per register that was given."""
        for register in register_map().registers:
            params = [slot for slots in register.params.values() for slot in slots]
            given = {slot.address for slot in (*register.slots, *params) if slot.name in self.given}
            for address in sorted(given):
                yield address, self.memory[address : address + register.slots[0].n_bytes]


def _span(name: str) -> slice:
    (slot,) = register_map().slots[name]
    return slice(slot.address, slot.address + _BLOCK_BYTES)


def _check_fits(spec: EncoderSpec, origin: str) -> None:
    n_weights = sum(int(np.prod(shape)) for shape in spec.weight_shapes.values())
    formats = {name: form for name, form in spec.weight_formats.items()
               if (form.width, form.integer_bits, form.signed) != (WEIGHT_BITS, 1, True)}
    if n_weights != N_WEIGHTS or formats:
        odd = "".join(f", {name} in {form}" for name, form in formats.items())
        raise InputError(f"{origin}: {n_weights} weights{odd}, expected the {N_WEIGHTS} codes of S1.5 of the registers")
