"""The chip's settings: a register file in, typed values for the data path and the codes of the weights out.

The settings are kept as the bytes behind the I2C addresses, so that packing is addressing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from models import register_file
from models.arrays import Int64Array
from models.chip import MAX_ELINKS, N_WEIGHTS, WEIGHT_BITS, Algorithm, Revision, other_mux_number
from models.dialects import Dialect, Setting
from models.errors import InputError
from models.files import write_text
from models.register_map import EXPECTED, register_map
from models.wording import counted

_WEIGHT_BLOCKS = tuple(f"AUTOENCODER_{n}INPUT.weights_byte0" for n in range(12))
_FILLING = {
    Revision.P1: ("FMTBUF_ALL.tx_sync_word",),
    Revision.PRODUCTION: ("PRODUCTION.idle_pattern", "PRODUCTION.link_reset_pattern"),
}
"""Settings of the word that fills the links, the first that is given counts."""

_MOST_DROPPED_BITS = 4
_BLOCK_BYTES = N_WEIGHTS * WEIGHT_BITS // len(_WEIGHT_BLOCKS) // 8


@dataclass(frozen=True)
class Registers:
    """Settings of one chip of a revision, with its own numbers in the mux.

    `given` are the slots that a file set; all others have their value after reset.

    Examples:
        >>> from models import Algorithm, Registers
        >>> settings = Registers.reset().with_values({"MFC_ALGORITHM_SEL_DENSITY.algo.select": Algorithm.BEST_CHOICE})
        >>> settings.algorithm.short_name
        'BC'
        >>> settings.save("init.yaml")
        >>> Registers.load("init.yaml").algorithm.short_name
        'BC'
    """

    memory: bytes
    given: frozenset[str] = frozenset()
    origin: str = "registers"
    revision: Revision = Revision.P1
    dialect: Dialect | None = field(default=None, compare=False)
    """Of the file that the settings come from, in which they are written if no other is named."""

    def __repr__(self) -> str:
        return f"<Registers: {self.summary()}, {len(self.given)} settings given ({self.origin})>"

    def summary(self) -> str:
        """The revision, the algorithm and the number of links, in words."""
        select = self.read("MFC_ALGORITHM_SEL_DENSITY.algo.select")
        if select >= len(Algorithm):
            return f"algorithm {select}"
        return f"{self.revision} chip, {Algorithm(select).short_name} on {counted(self.n_elinks, 'link')}"

    @classmethod
    def reset(cls, revision: Revision = Revision.P1) -> Registers:
        """A chip to which nothing was written."""
        return cls(bytes(register_map().reset_memory()), revision=revision)

    @classmethod
    def load(cls, path: str | Path, revision: Revision | None = None) -> Registers:
        """Read a register file of any dialect, which tells the revision unless it is given.

        Raises InputError naming file, line, register, value and what was expected.
        """
        memory, given, dialect = register_file.read(Path(path), revision)
        registers = cls(bytes(memory), frozenset(given), str(path), dialect.revision, dialect)
        registers.check()
        return registers.taken_as(revision or dialect.revision)

    def check(self) -> None:
        """Raise InputError unless the chip's behaviour is defined for the settings of the data path."""
        for name in EXPECTED:
            for slot in register_map().slots[name]:
                value = slot.read(self.memory)
                if value not in slot.expected:
                    raise InputError(f"{self.origin}: {slot.name} = {value}, "
                                     f"expected {slot.expected.start}..{slot.expected.stop - 1}")
        for other, names in _FILLING.items():
            if other is not self.revision and self.given.intersection(names):
                raise InputError(f"{self.origin}: the {self.revision} chip has no setting "
                                 f"{min(self.given.intersection(names))}")

    def with_values(self, values: Mapping[str, int | list[int]]) -> Registers:
        """A copy with other values, by dotted names as in the map: `{"FMTBUF_ALL.buff_t1": 48}`."""
        memory, given = bytearray(self.memory), set(self.given)
        for name, value in values.items():
            given |= Setting(register_map().slots[name]).assign(memory, name, value)
        changed = replace(self, memory=bytes(memory), given=frozenset(given))
        changed.check()
        return changed

    def converted(self, revision: Revision) -> Registers:
        """The same settings for a chip of another revision: it takes the same code into each channel.

        Raises InputError naming a setting that the other revision does not have.
        """
        if revision is self.revision:
            return self
        mux = [other_mux_number(int(number)) for number in self.mux_select]
        return self.taken_as(revision).with_values({"MFC_MUX_SELECT.mux_select_*": mux})

    def taken_as(self, revision: Revision) -> Registers:
        """The same numbers in a chip of another revision, whose filling word has another name.

        Raises InputError where two filling words are given and the other revision has one.
        """
        if revision is self.revision:
            return self
        words = {name: self.read(name) for name in _FILLING[self.revision] if name in self.given}
        if len(set(words.values())) > 1:
            both = " and ".join(f"{name} = {word}" for name, word in words.items())
            raise InputError(f"{self.origin}: {both}: the {revision} chip has one filling word")
        memory, reset = bytearray(self.memory), Registers.reset()
        for name in _FILLING[self.revision]:
            (slot,) = register_map().slots[name]
            slot.write(memory, reset.read(name))
        bare = replace(self, memory=bytes(memory), given=self.given.difference(_FILLING[self.revision]),
                       revision=revision)
        return bare.with_values({_FILLING[revision][0]: self._filling_word})

    def read(self, name: str) -> int:
        """Value of one register or parameter by its dotted name."""
        (slot,) = register_map().slots[name]
        return slot.read(self.memory)

    def read_all(self, name: str) -> Int64Array:
        """Values of a repeated register, 1-d."""
        return np.array([slot.read(self.memory) for slot in register_map().slots[name]], dtype=np.int64)

    @property
    def algorithm(self) -> Algorithm:
        """The selected algorithm."""
        return Algorithm(self.read("MFC_ALGORITHM_SEL_DENSITY.algo.select"))

    @property
    def high_density(self) -> bool:
        """Whether the module is of high density."""
        return bool(self.read("MFC_ALGORITHM_SEL_DENSITY.algo.density"))

    @property
    def mux_select(self) -> Int64Array:
        """Number of the input code that each channel takes, (48,)."""
        return self.read_all("MFC_MUX_SELECT.mux_select_*")

    @property
    def calibration(self) -> Int64Array:
        """12-bit factors, 2048 = 1.0."""
        return self.read_all("MFC_CAL_VAL.cal_*")

    @property
    def threshold(self) -> Int64Array:
        """Thresholds of TS by channel, (48,)."""
        return self.read_all("ALGO_THRESHOLD_VAL.threshold_val_*")

    @property
    def dropped_bits(self) -> int:
        """Low bits dropped before a charge is encoded; the chip takes settings above 4 as 0."""
        setting = self.read("ALGO_DROPLSB.drop_lsb")
        return setting if setting <= _MOST_DROPPED_BITS else 0

    @property
    def use_sum(self) -> bool:
        """Send the sum of all cells, not of the cells that are not sent (TS and BC)."""
        return bool(self.read("FMTBUF_ALL.config.use_sum"))

    @property
    def stc_type(self) -> int:
        """Number of the STC type, 0..3."""
        return self.read("FMTBUF_ALL.config.stc_type")

    @property
    def filling_word(self) -> int:
        """The 11 low bits of an idle word."""
        return self._filling_word & 0x7FF

    @property
    def _filling_word(self) -> int:
        """The first setting of it that was given, else what the last one is after reset."""
        names = _FILLING[self.revision]
        return self.read(next((name for name in names if name in self.given), names[-1]))

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
        """Number of eTx links in use.

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
        return replace(self, memory=bytes(memory), given=self.given | given)

    def save(self, path: str | Path, dialect: Dialect | None = None) -> None:
        """Write a register file of all registers that were given; `-` is stdout.

        Without a dialect it is that of the file that they come from, else nested for P1. Raises InputError naming a
        setting that the dialect cannot express.
        """
        dialect = dialect or self.dialect or Dialect.of(self.revision)
        same = self.converted(dialect.revision)
        write_text(path, register_file.as_text(same.memory, same.given, dialect, self.origin))


def _span(name: str) -> slice:
    (slot,) = register_map().slots[name]
    return slice(slot.address, slot.address + _BLOCK_BYTES)
