"""The chip's settings: a register file in, typed values for the data path and the codes of the weights out.

The settings are kept as the bytes behind the I2C addresses, so that packing is addressing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models import register_file
from models.arrays import Int64Array
from models.chip import MAX_ELINKS, N_WEIGHTS, WEIGHT_BITS, Algorithm
from models.errors import InputError
from models.files import write_text
from models.register_map import register_map
from models.trigger_cells import N_TRIGGER_CELLS

_WEIGHT_BLOCKS = tuple(f"AUTOENCODER_{n}INPUT.weights_byte0" for n in range(12))
_BLOCK_BYTES = N_WEIGHTS * WEIGHT_BITS // len(_WEIGHT_BLOCKS) // 8


@dataclass(frozen=True)
class Registers:
    """Settings of one chip. `given` are the slots that a file set; all others have their value after reset."""

    memory: bytes
    given: frozenset[str] = frozenset()
    origin: str = "registers"

    def __repr__(self) -> str:
        return f"<Registers: {self.summary()}, {len(self.given)} settings given ({self.origin})>"

    def summary(self) -> str:
        """The algorithm and the number of links, in words."""
        select = self.read("MFC_ALGORITHM_SEL_DENSITY.algo.select")
        if select >= len(Algorithm):
            return f"algorithm {select}"
        return f"{Algorithm(select).short_name} on {self.n_elinks} links"

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

    def read_all(self, name: str) -> Int64Array:
        """Values of a repeated register, 1-d."""
        return np.array([slot.read(self.memory) for slot in register_map().slots[name]], dtype=np.int64)

    @property
    def algorithm(self) -> Algorithm:
        return Algorithm(self.read("MFC_ALGORITHM_SEL_DENSITY.algo.select"))

    @property
    def high_density(self) -> bool:
        return bool(self.read("MFC_ALGORITHM_SEL_DENSITY.algo.density"))

    @property
    def mux_select(self) -> Int64Array:
        return self.read_all("MFC_MUX_SELECT.mux_select_*")

    @property
    def calibration(self) -> Int64Array:
        """12-bit factors, 2048 = 1.0."""
        return self.read_all("MFC_CAL_VAL.cal_*")

    @property
    def threshold(self) -> Int64Array:
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
    def n_elinks_given(self) -> bool:
        """Whether the settings say how many links are in use."""
        return bool({"FMTBUF_ALL.config", "FMTBUF_ALL.config.eporttx_numen"} & self.given)

    @property
    def n_elinks(self) -> int:
        """eTx links in use.

        Published autoencoder settings may leave the number out, and the value after reset is not theirs: without an
        output to infer it from (`emulator.verify`), it is the fewest links that carry the bits of the mask.
        """
        if self.algorithm is Algorithm.AUTOENCODER and not self.n_elinks_given:
            return next(n for n in range(1, MAX_ELINKS + 1) if 32 * n - 14 >= self.ae_mask.bit_count())
        return self.read("FMTBUF_ALL.config.eporttx_numen")

    def weight_codes(self) -> Int64Array:
        """The 2144 six-bit codes in register order, as signed integers."""
        data = b"".join(self.memory[_span(name)] for name in _WEIGHT_BLOCKS)
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little").reshape(N_WEIGHTS, WEIGHT_BITS)
        code = bits.astype(np.int64) @ (1 << np.arange(WEIGHT_BITS))
        return np.asarray(code - ((code >> (WEIGHT_BITS - 1)) << WEIGHT_BITS), dtype=np.int64)

    def with_weight_codes(self, codes: Int64Array) -> Registers:
        """A copy that holds these 2144 codes, given in register order."""
        bits = (codes[:, None] >> np.arange(WEIGHT_BITS) & 1).astype(np.uint8)
        data = np.packbits(bits, bitorder="little").tobytes()
        memory = bytearray(self.memory)
        for n, name in enumerate(_WEIGHT_BLOCKS):
            memory[_span(name)] = data[n * _BLOCK_BYTES : (n + 1) * _BLOCK_BYTES]
        given = {slot.name for row in register_map().registers if row.family.startswith("AUTOENCODER")
                 for slot in row.slots}
        return Registers(bytes(memory), self.given | given, self.origin)

    def save(self, path: str | Path) -> None:
        """Write a register file of all registers that were given; `-` is stdout."""
        write_text(path, register_file.as_text(self.memory, self.given))


def _span(name: str) -> slice:
    (slot,) = register_map().slots[name]
    return slice(slot.address, slot.address + _BLOCK_BYTES)
