"""Yosys synthesis block by block: every definition once, then the sum over its instances."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rtl import yosys
from rtl.block import Block

_ADD_TO_ALU = Path(__file__).with_name("templates") / "add_to_alu.v"
# Purged of names: those of array elements (`code[0]`) would meet the names that Yosys gives to single bits.
_PREPARE = ("proc", "opt", "wreduce", "opt_clean -purge")
_XILINX = "-nodsp -noiopad -noclkbuf -nobram"


@dataclass(frozen=True)
class Technology:
    """A target of synthesis: the passes after reading, and which cells are counted as what."""

    name: str
    passes: tuple[str, ...]
    counted: Callable[[Counter[str]], dict[str, int]]


def _lut_cells(cells: Counter[str]) -> dict[str, int]:
    return {
        "lut": sum(n for cell, n in cells.items() if re.fullmatch(r"LUT\d", cell)),
        "ff": sum(n for cell, n in cells.items() if re.fullmatch(r"FD\w+", cell)),
        "carry": sum(n for cell, n in cells.items() if re.fullmatch(r"CARRY\d", cell)),
    }


def _ecp5_cells(cells: Counter[str]) -> dict[str, int]:
    # A CCU2C is a pair of LUT4 with a carry.
    return {"lut": cells["LUT4"] + 2 * cells["CCU2C"], "ff": cells["TRELLIS_FF"], "carry": cells["CCU2C"]}


def _gate_cells(cells: Counter[str]) -> dict[str, int]:
    transistors = cells.pop("transistors", 0)
    return {"nand2": round(transistors / 4), "ff": sum(n for cell, n in cells.items() if "DFF" in cell)}


TECHNOLOGIES = {
    "xc7": Technology("xc7", (f"techmap -map {_ADD_TO_ALU}", f"synth_xilinx -family xc7 {_XILINX}"), _lut_cells),
    "xcup": Technology("xcup", (f"techmap -map {_ADD_TO_ALU}", f"synth_xilinx -family xcup {_XILINX}"), _lut_cells),
    "ecp5": Technology("ecp5", (f"techmap -map {_ADD_TO_ALU}", "synth_ecp5 -nodsp -nobram"), _ecp5_cells),
    # One NAND2 is four transistors; sums become trees of full adders (alumacc, maccmap).
    # Silicon has no values at power-on.
    "gates": Technology("gates", ("setattr -unset init", "alumacc", "opt", "maccmap", "opt", "techmap", "opt",
                                  "dfflegalize -cell $_DFF_P_ x", "abc -g cmos", "opt_clean"), _gate_cells),
}
"""By name; the FPGA ones want blocks built for carry chains, `gates` those built open."""


@dataclass(frozen=True)
class BlockResult:
    """What one definition takes, without the blocks placed in it."""

    block: str
    instances: int
    resources: dict[str, int]
    levels: int
    """Gates or look-up tables on the longest path between registers or ports."""


@dataclass(frozen=True)
class Result:
    """A whole design in one technology, by a tool of a version."""

    technology: str
    tool: str
    blocks: tuple[BlockResult, ...]

    @property
    def total(self) -> dict[str, int]:
        names = dict.fromkeys(name for row in self.blocks for name in row.resources)
        return {name: sum(row.instances * row.resources[name] for row in self.blocks) for name in names}

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "total": self.total}, indent=1) + "\n"


def synthesise(top: Block, technology: str, timeout_seconds: float = 600) -> Result:
    """Map every block of `top` once and count; each Yosys run ends after `timeout_seconds`."""
    with tempfile.TemporaryDirectory() as folder:
        files = {path.stem: path for path in yosys.export(top, Path(folder))}
        placed = {name: _placements(path, files) for name, path in files.items()}
        counts = instance_counts(top.module_name, placed)
        rows = [_synthesise_block(files[name], [files[child] for child in placed[name]], TECHNOLOGIES[technology],
                                  counts[name], timeout_seconds) for name in files]
    return Result(technology, yosys.version(), tuple(rows))


def _placements(path: Path, known: Mapping[str, Path]) -> Counter[str]:
    """How often each block is placed directly in the one of this RTLIL file."""
    cells = re.findall(r"^\s*cell \\(\w+) ", path.read_text(encoding="utf-8"), re.MULTILINE)
    return Counter(cell for cell in cells if cell in known)


def instance_counts(top: str, placed: Mapping[str, Counter[str]]) -> Counter[str]:
    """How often each block stands in the whole design."""
    counts: Counter[str] = Counter()

    def count(name: str, times: int) -> None:
        counts[name] += times
        for child, n in placed[name].items():
            count(child, times * n)

    count(top, 1)
    return counts


def _synthesise_block(
    path: Path, children: Sequence[Path], technology: Technology, instances: int, timeout_seconds: float
) -> BlockResult:
    name = path.stem
    stat = path.with_suffix(".json")
    log = yosys.run([
        f"read_rtlil {path}",
        *(f"read_rtlil {child}" for child in children),
        # Blocks placed inside are counted on their own: here they are black boxes.
        *(f"blackbox {child.stem}" for child in children),
        f"hierarchy -top {name}", *_PREPARE, *technology.passes,
        f"tee -q -o {stat} stat -json -tech cmos",
        # A path ends at a block placed inside.
        f"select {name}/*", *(f"select -del {name}/t:{child.stem}" for child in children),
        "log == path ==", "ltp -noff",
    ], timeout_seconds)
    module = json.loads(stat.read_text(encoding="utf-8"))["modules"][f"\\{name}"]
    cells = Counter({cell: int(n) for cell, n in module["num_cells_by_type"].items()})
    cells["transistors"] = int(str(module.get("estimated_num_transistors", "0")).rstrip("+"))
    length = re.search(r"Longest topological path in \S+ \(length=(\d+)\)", log[log.index("== path ==") :])
    return BlockResult(name, instances, technology.counted(cells), int(length[1]) if length else 0)
