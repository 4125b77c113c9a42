"""All registers of a design, taken from the design itself so that a campaign of bit flips misses none."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rtl.design.block import Block
from rtl.mapping import yosys

_STATE = ("ff", "latch", "mem")
"""Parts of the names of Yosys cells that hold state."""

_DECLARATION = re.compile(r"^ *reg (?:\[\d+:0\] )?([A-Za-z_]\w*)(?: =|;)", re.MULTILINE)

FLIP = np.dtype([("clock", np.uint32), ("register", np.uint32), ("bit", np.uint32)])
"""One flip: the bit of the register (its index in `registers`) flips once, after the edge that ends the clock."""


@dataclass(frozen=True)
class Register:
    """Flip-flops of one name: `path` leads through instances from the top level, `block` is the module they are in."""

    path: str
    block: str
    name: str
    width: int


def registers(top: Block) -> list[Register]:
    """All registers of `top` and the blocks in it, sorted by path.

    Raises YosysError for state that is not a plain flip-flop on the clock, or that has no plain name in the Verilog.
    """
    with tempfile.TemporaryDirectory() as folder:
        netlist, verilog = Path(folder) / "netlist.json", Path(folder) / "all.v"
        yosys.run([*(f"read_rtlil {yosys.quoted(file)}" for file in yosys.export(top, Path(folder))),
                   f"hierarchy -check -top {top.module_name}", "proc -norom", f"write_json {yosys.quoted(netlist)}",
                   f"write_verilog -norename -noattr {yosys.quoted(verilog)}"])
        modules = json.loads(netlist.read_text(encoding="utf-8"))["modules"]
        texts = re.split(r"^module ", verilog.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    # The same flip-flops can have several names; the Verilog declares one of them.
    declared = {text[: text.index("(")].strip(): set(_DECLARATION.findall(text)) for text in texts}
    return sorted(_registers(modules, declared, top.module_name, top.module_name), key=lambda register: register.path)


def _registers(
    modules: Mapping[str, Any], declared: Mapping[str, set[str]], block: str, path: str
) -> Iterator[Register]:
    for name, cell in modules[block]["cells"].items():
        kind = cell["type"]
        if kind in modules:
            yield from _registers(modules, declared, kind, f"{path}.{name}")
        elif kind == "$dff":
            bits = cell["connections"]["Q"]
            names = [net for net, wire in modules[block]["netnames"].items() if wire["bits"] == bits]
            found = [net for net in names if net in declared[block]]
            if len(found) != 1:
                raise yosys.YosysError(f"{block}: register {names or name} has no plain name in the Verilog")
            yield Register(f"{path}.{found[0]}", block, found[0], len(bits))
        elif kind.startswith("$") and any(part in kind for part in _STATE):
            raise yosys.YosysError(f"{block}: {name} is a {kind}, expected every register to be a $dff")


def flips(clock: npt.ArrayLike, register: npt.ArrayLike, bit: npt.ArrayLike) -> npt.NDArray[Any]:
    """Records of FLIP, sorted by clock, from numbers of shapes that broadcast."""
    columns = np.broadcast_arrays(clock, register, bit)
    records = np.empty(columns[0].size, FLIP)
    for name, column in zip(("clock", "register", "bit"), columns, strict=True):
        records[name] = column.ravel()
    return records[np.argsort(records["clock"], kind="stable")]
