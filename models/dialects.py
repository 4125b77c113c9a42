"""The dialects of register files: under which key, and in what form, each of them has a setting of the chip."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, NamedTuple

from models.chip import MAX_ELINKS, Revision
from models.errors import InputError
from models.register_map import Slot, register_map
from models.wording import counted

Keys = tuple[str, ...]
Form = Literal["plain", "joined", "links"]

_MOST_DECIMAL_BITS = 32  # wider numbers are written in hexadecimal
_LONGEST_NUMBER = 100  # letters of a quoted number

BARE = ""
"""In a tree of settings: the one that a number sets in the place of a whole section."""


class Dialect(str, Enum):
    """P1 files as the first vectors have them, P1 settings in the form of 2024, and files of the production chip.

    Examples:
        >>> from models import Dialect
        >>> [(str(one), str(one.revision)) for one in Dialect]
        [('p1-nested', 'p1'), ('p1-flat', 'p1'), ('production', 'production')]
    """

    P1_NESTED = "p1-nested"
    P1_FLAT = "p1-flat"
    PRODUCTION = "production"

    def __str__(self) -> str:
        return self.value

    @property
    def revision(self) -> Revision:
        """The chip whose rules a file of this dialect means."""
        return Revision.PRODUCTION if self is Dialect.PRODUCTION else Revision.P1

    @property
    def marker(self) -> str:
        """The key at the top of a file that tells its dialect."""
        return {Dialect.P1_NESTED: "ECON-T", Dialect.P1_FLAT: "Algorithm", Dialect.PRODUCTION: "ConfigAlgo"}[self]

    @property
    def root(self) -> Keys:
        """The keys below which the settings stand."""
        return ("ECON-T", "RW") if self is Dialect.P1_NESTED else ()

    @classmethod
    def of(cls, revision: Revision) -> Dialect:
        """The dialect in which the settings of a chip are written if none is named."""
        return cls.PRODUCTION if revision is Revision.PRODUCTION else cls.P1_NESTED


class Unpublished(InputError):
    """A setting that a chip takes and of which no output was published, so that its rules are not known."""


@dataclass(frozen=True)
class Setting:
    """What stands under one key of a register file: a number, or a list with one for each slot that it sets.

    `plain` is the number of every slot, or their list. `joined` is one number over all slots, the first one lowest.
    `links` has one bit for each link; the chip's map counts them. An `alias` is read but not written. `refused` are
    numbers that a chip takes but the emulator does not, and why.
    """

    slots: tuple[Slot, ...]
    form: Form = "plain"
    alias: bool = False
    refused: Mapping[int, str] | None = None

    def assign(self, memory: bytearray, name: str, value: object) -> set[str]:
        """Write the value into memory; returns the names of what it set.

        Raises InputError naming the setting, the value and what was expected.
        """
        numbers = [_number(name, one) for one in (value if isinstance(value, list) else [value])]
        if self.form == "joined":
            numbers = self._parts(name, numbers)
        elif self.form == "links":
            numbers = [_count(name, numbers)]
        elif not isinstance(value, list):
            numbers *= len(self.slots)
        if len(numbers) != len(self.slots):
            raise InputError(f"{name}: {counted(len(numbers), 'value')}, expected one"
                             + (f" or {len(self.slots)}" if len(self.slots) > 1 else ""))
        for slot, number in zip(self.slots, numbers, strict=True):
            if self.refused and number in self.refused:
                raise Unpublished(f"{name} = {number}: {self.refused[number]}")
            if number not in slot.expected:
                one = slot.name if len(self.slots) > 1 else name
                raise InputError(f"{one} = {number}, expected {slot.expected.start}..{slot.expected.stop - 1}")
            slot.write(memory, number)
        return {slot.name for slot in self.slots}

    def text(self, memory: bytes) -> str:
        """The value in memory as a file has it."""
        values = [slot.read(memory) for slot in self.slots]
        if self.form == "links":
            return hex((1 << values[0]) - 1)
        if self.form == "joined":
            return hex(sum(value << sum(slot.bits for slot in self.slots[:i]) for i, value in enumerate(values)))
        if len(values) > 1:
            return "[" + ", ".join(map(str, values)) + "]"
        return str(values[0]) if self.slots[0].bits <= _MOST_DECIMAL_BITS else hex(values[0])

    def _parts(self, name: str, numbers: list[int]) -> list[int]:
        bits = sum(slot.bits for slot in self.slots)
        if len(numbers) != 1 or not 0 <= numbers[0] < 1 << bits:
            raise InputError(f"{name} = {', '.join(map(hex, numbers))}, expected one number of {bits} bits")
        return [numbers[0] >> sum(slot.bits for slot in self.slots[:i]) & ((1 << slot.bits) - 1)
                for i, slot in enumerate(self.slots)]


def _number(name: str, value: object) -> int:
    """A number, decimal or as 0x1f, plain or quoted."""
    number = value
    if isinstance(value, str) and len(value) < _LONGEST_NUMBER:
        try:
            number = int(value, 0)
        except ValueError:
            number = int(value) if value.isascii() and value.isdecimal() else value  # 007
    if not isinstance(number, int):
        raise InputError(f"{name} = {value!r}, expected an integer")
    return int(number)


def _count(name: str, masks: list[int]) -> int:
    """Links of a mask: the chip is known to send on the lowest ones."""
    if len(masks) != 1 or masks[0] not in {(1 << n) - 1 for n in range(1, MAX_ELINKS + 1)}:
        raise InputError(f"{name} = {', '.join(map(hex, masks))}, expected the mask of the lowest links without a gap: "
                         f"0x1, 0x3, .. {(1 << MAX_ELINKS) - 1:#x}")
    return masks[0].bit_length()


class _Row(NamedTuple):
    """Registers of the map, and how a flat dialect writes them."""

    names: str
    form: Form = "plain"
    alias: bool = False
    refused: Mapping[int, str] | None = None


_P1 = {
    "Algorithm.Global.select": _Row("MFC_ALGORITHM_SEL_DENSITY.algo.select"),
    "Algorithm.Global.density": _Row("MFC_ALGORITHM_SEL_DENSITY.algo.density"),
    "FormatterBuffer.Global.active_etxs": _Row("FMTBUF_ALL.config.eporttx_numen"),
    "FormatterBuffer.Global.mask_ae": _Row("FMTBUF_ALL.mask_ae"),
    "FormatterBuffer.Global.mask_ae2": _Row("FMTBUF_ALL.mask_ae2"),
    "FormatterBuffer.Global.tx_sync_word": _Row("FMTBUF_ALL.tx_sync_word", alias=True),
    "FormatterBuffer.Global.link_reset_pattern": _Row("FMTBUF_ALL.tx_sync_word"),
    "FormatterBuffer.Global.stc_type": _Row("FMTBUF_ALL.config.stc_type"),
}

_PRODUCTION = {
    "ConfigAlgo.Global.alg_type": _Row("MFC_ALGORITHM_SEL_DENSITY.algo.select"),
    "ConfigAlgo.Global.alg_high_density": _Row("MFC_ALGORITHM_SEL_DENSITY.algo.density"),
    "FormatterBuffer.Global.active_etxs": _Row("FMTBUF_ALL.config.eporttx_numen", "links"),
    "FormatterBuffer.Global.keep_auto_encoder_bits": _Row("FMTBUF_ALL.mask_ae FMTBUF_ALL.mask_ae2", "joined"),
    "FormatterBuffer.Global.idle_pattern": _Row("PRODUCTION.idle_pattern"),
    "FormatterBuffer.Global.link_reset_pattern": _Row("PRODUCTION.link_reset_pattern"),
    "FormatterBuffer.Global.stc_type": _Row("FMTBUF_ALL.config.stc_type", refused={
        4: "the production chip has this type, but no output of it was published; expected 0..3"}),
}

_BOTH = {
    "FormatterBuffer.Global.use_sum": _Row("FMTBUF_ALL.config.use_sum"),
    "FormatterBuffer.Global.buff_t1": _Row("FMTBUF_ALL.buff_t1"),
    "FormatterBuffer.Global.buff_t2": _Row("FMTBUF_ALL.buff_t2"),
    "FormatterBuffer.Global.buff_t3": _Row("FMTBUF_ALL.buff_t3"),
    "AlgoDroplsb.Global": _Row("ALGO_DROPLSB.drop_lsb", alias=True),
    "AlgoDroplsb.Global.drop_lsb": _Row("ALGO_DROPLSB.drop_lsb"),
    "AlgoThreshold.*": _Row("ALGO_THRESHOLD_VAL.threshold_val_*"),
    "Cal.*": _Row("MFC_CAL_VAL.cal_*"),
    "Mux.*": _Row("MFC_MUX_SELECT.mux_select_*"),
    **{f"Encoder.*.weights_byte{byte}": _Row(f"AUTOENCODER_*INPUT.weights_byte{byte}") for byte in range(0, 129, 16)},
}


Tree = Mapping[str, "Tree | Setting"]


@functools.cache
def settings_of(dialect: Dialect) -> Mapping[Keys, Setting]:
    """Every setting of a dialect by its keys below the root, in the order in which they are written."""
    if dialect is Dialect.P1_NESTED:
        return {**dict(_nested_aliases()), **dict(_nested())}
    table = {**(_PRODUCTION if dialect is Dialect.PRODUCTION else _P1), **_BOTH}
    return {keys: setting for name, row in table.items() for keys, setting in _flat(name, row)}


def _flat(name: str, row: _Row) -> Iterator[tuple[Keys, Setting]]:
    """One setting, or one for each repetition of a register."""
    slots = tuple(slot for one in row.names.split() for slot in register_map().slots[one])
    if "*" not in name:
        yield tuple(name.split(".")), Setting(slots, row.form, row.alias, row.refused)
    else:
        for index, slot in enumerate(slots):
            yield tuple(name.replace("*", str(index)).split(".")), Setting((slot,))


def _nested() -> Iterator[tuple[Keys, Setting]]:
    for register in register_map().registers:
        if not register.production:
            inside = (register.block, "registers", register.name)
            yield (*inside, "value"), Setting(register.slots)
            for param, slots in register.params.items():
                yield (*inside, "params", param, "param_value"), Setting(slots)


def _nested_aliases() -> Iterator[tuple[Keys, Setting]]:
    """All names of the map; published files have a parameter also directly under its register or its block."""
    production = {register.block for register in register_map().registers if register.production}
    for name, slots in register_map().slots.items():
        block, register, *params = name.split(".")
        inside, setting = (block, "registers", register), Setting(slots, alias=True)
        if block not in production:
            yield (*inside, *(("params", *params, "param_value") if params else ("value",))), setting
            if params:
                yield (*inside, *params, "param_value"), setting


@functools.cache
def tree_of(dialect: Dialect) -> Tree:
    """The settings of a dialect as the sections of its files."""
    root: dict[str, Any] = {}
    for keys, setting in settings_of(dialect).items():
        node = root
        for key in keys[:-1]:
            inside = node.setdefault(key, {})
            if isinstance(inside, Setting):  # a number in the place of a section
                inside = node[key] = {BARE: inside}
            node = inside
        node[keys[-1]] = setting
    return root
