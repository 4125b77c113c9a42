"""Synthesis by Yosys, block by block: each definition once, then the sum over all instances."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import ToolMissing
from models.files import atomic_directory
from rtl.design.block import Block
from rtl.design.chip import AutoencoderChip
from rtl.design.registers import RegisterFile
from rtl.mapping import yosys
from rtl.mapping.timing import BlockTiming, block_timing
from rtl.results import BlockResult, ChipSynthesis, MappedDesign, Resources, Synthesis

DESIGN_FILE = "design.json"
"""Provenance stored with kept netlists."""
ALU_MAP = Path(__file__).with_name("add_to_alu.v")
TO_ALU = f"techmap -map {yosys.quoted(ALU_MAP)}"
"""A pass that keeps adders on carry chains."""
# Names are purged: those of array elements (`code[0]`) would collide with the names that Yosys gives single bits.
_PREPARE = ("proc", "opt", "wreduce", "opt_clean -purge")
_XILINX = "-nodsp -noiopad -noclkbuf -nobram"


@dataclass(frozen=True)
class Technology:
    """A target of synthesis: its passes, and how its cells are counted."""

    name: str
    passes: tuple[str, ...]
    counted: Callable[[Counter[str]], Resources]
    stat: str = "stat -json -tech cmos"


def _matching(cells: Counter[str], pattern: str) -> int:
    return sum(n for cell, n in cells.items() if re.fullmatch(pattern, cell))


def _lut_cells(cells: Counter[str]) -> Resources:
    return Resources(lut=_matching(cells, r"LUT\d"), ff=_matching(cells, r"FD\w+"), carry=_matching(cells, r"CARRY\d"))


def _ecp5_cells(cells: Counter[str]) -> Resources:
    # A CCU2C is a pair of LUT4 with a carry.
    return Resources(lut=cells["LUT4"] + 2 * cells["CCU2C"], ff=cells["TRELLIS_FF"], carry=cells["CCU2C"])


def _gate_cells(cells: Counter[str]) -> Resources:
    return Resources(nand2=round(cells["transistors"] / 4), ff=_matching(cells, r".*DFF.*"))


def _standard_cells(cells: Counter[str]) -> Resources:
    return Resources(area_um2=cells["area"], ff=_matching(cells, r"DFF\w+"))


OSU018 = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
# Sums become trees of full adders (alumacc, maccmap). Silicon has no values at power-on.
_TO_GATES = ("setattr -unset init", "alumacc", "opt", "maccmap", "opt", "techmap", "opt",
             "dfflegalize -cell $_DFF_P_ x")

TECHNOLOGIES = {
    "xc7": Technology("xc7", (TO_ALU, f"synth_xilinx -family xc7 {_XILINX}"), _lut_cells),
    "xcup": Technology("xcup", (TO_ALU, f"synth_xilinx -family xcup {_XILINX}"), _lut_cells),
    "ecp5": Technology("ecp5", (TO_ALU, "synth_ecp5 -nodsp -nobram"), _ecp5_cells),
    # One NAND2 is four transistors.
    "gates": Technology("gates", (*_TO_GATES, "abc -g cmos", "opt_clean"), _gate_cells),
    # Standard cells of a 180 nm process; Debian has them in qflow-tech-osu018.
    "osu018": Technology("osu018", (*_TO_GATES, f"read_liberty -lib {OSU018}", f"dfflibmap -liberty {OSU018}",
                                    f"abc -liberty {OSU018}", "opt_clean"),
                         _standard_cells, f"stat -json -liberty {OSU018}"),
}
"""All technologies, by name. FPGAs need blocks of target `fpga`, silicon blocks of target `asic`."""

SILICON = ("gates", "osu018")


Steps = Callable[[Sequence[Block]], Iterable[Block]]
"""What hands on blocks, one when the one before is mapped."""


def synthesise_chip(
    top: AutoencoderChip, technology: str, timeout_seconds: float = 600, keep: Path | None = None,
    steps: Steps = iter,
) -> ChipSynthesis:
    """The encoder block, as `synthesise` maps it."""
    start = time.monotonic()
    found = synthesise(top, technology, timeout_seconds, keep, steps)
    return ChipSynthesis(**dict(found), **dict(top.describe()), seconds=round(time.monotonic() - start))


def design_digest(top: Block, technology: str) -> str:
    """16 hex digits of all that the counts depend on but the version of Yosys: the blocks' RTLIL and the passes."""
    target = TECHNOLOGIES[technology]
    passes = "\n".join((*_PREPARE, *target.passes, target.stat))
    # What the map says, and not where this installation has it.
    state = hashlib.sha256(passes.replace(str(ALU_MAP), ALU_MAP.read_text(encoding="utf-8")).encode())
    with tempfile.TemporaryDirectory() as folder:
        for path in yosys.export(top, Path(folder)):
            state.update(path.read_bytes())
    return state.hexdigest()[:16]


def synthesise(
    top: Block, technology: str, timeout_seconds: float = 600, keep: Path | None = None, steps: Steps = iter
) -> Synthesis:
    """Map every block of `top` once and count its cells; each Yosys run may take `timeout_seconds`.

    `keep` is a folder for the mapped netlists, BLOCK.netlist (Yosys JSON), and DESIGN_FILE; it is replaced as a whole.
    `steps` hands on the blocks, and may show how far the mapping is.

    Examples:
        >>> from models import FixedPoint
        >>> from rtl import synthesise
        >>> from rtl.design.normaliser import ChannelShifter
        >>> synthesis = synthesise(ChannelShifter(FixedPoint.parse("U1.7")), "xc7")
        >>> synthesis.technology, [row.block for row in synthesis.blocks], synthesis.total.counts["lut"] > 0
        ('xc7', ['channel_shifter'], True)
    """
    if technology == "osu018" and not OSU018.exists():
        raise ToolMissing(f"{OSU018} not found; install the Debian package qflow-tech-osu018")
    rows: list[BlockResult] = []
    timing: dict[str, BlockTiming] = {}
    memory_bits = 0
    with atomic_directory(keep, guarded=True) if keep else tempfile.TemporaryDirectory() as folder:
        files = {path.stem: path for path in yosys.export(top, Path(folder))}
        placed = {name: _placements(path, files) for name, path in files.items()}
        counts = instance_counts(top.module_name, placed)
        for block in steps(list(top.definitions())):
            name = block.module_name
            row, memory = _synthesise_block(files[name], [files[child] for child in placed[name]],
                                            TECHNOLOGIES[technology], counts[name], timeout_seconds)
            memory_bits += counts[name] * memory
            rows.append(row)
            timing[name] = block_timing(_netlist(files[name]), name, timing, block.static)
        MappedDesign(technology=technology, design=top.describe()).save(Path(folder) / DESIGN_FILE)
    registers = sum(counts[block.module_name] * block.n_bits for block in top.definitions()
                    if isinstance(block, RegisterFile))
    return Synthesis(technology=technology, tool=yosys.version(), blocks=tuple(rows),
                     levels=timing[top.module_name].longest, memory_bits=memory_bits, register_bits=registers)


def _netlist(path: Path) -> Path:
    return path.with_suffix(".netlist")


def _placements(path: Path, known: Mapping[str, Path]) -> Counter[str]:
    """How often each block is placed directly in the block of this RTLIL file."""
    cells = re.findall(r"^\s*cell \\(\w+) ", path.read_text(encoding="utf-8"), re.MULTILINE)
    return Counter(cell for cell in cells if cell in known)


def instance_counts(top: str, placed: Mapping[str, Counter[str]]) -> Counter[str]:
    """How often each block occurs in the whole design."""
    counts: Counter[str] = Counter()

    def count(name: str, times: int) -> None:
        counts[name] += times
        for child, n in placed[name].items():
            count(child, times * n)

    count(top, 1)
    return counts


def _synthesise_block(
    path: Path, children: Sequence[Path], technology: Technology, instances: int, timeout_seconds: float
) -> tuple[BlockResult, int]:
    """The row of a block, and its number of memory bits."""
    name = path.stem
    stat, prepared = path.with_suffix(".json"), path.with_suffix(".prepared")
    log = yosys.run([
        f"read_rtlil {yosys.quoted(path)}",
        *(f"read_rtlil {yosys.quoted(child)}" for child in children),
        # Blocks placed inside are counted separately: here they are black boxes.
        *(f"blackbox {child.stem}" for child in children),
        f"hierarchy -top {name}", *_PREPARE, f"tee -q -o {yosys.quoted(prepared)} stat -json", *technology.passes,
        f"tee -q -o {yosys.quoted(stat)} {technology.stat}",
        f"select {name}", f"write_json -selected {yosys.quoted(_netlist(path))}", "select -clear",
        # A path ends at a block placed inside.
        f"select {name}/*", *(f"select -del {name}/t:{child.stem}" for child in children),
        # `ltp` knows Yosys' own flip-flops but not those of a library.
        *(f"select -del {name}/t:{flip_flop}" for flip_flop in ("FD?E", "TRELLIS_FF", "DFF*")),
        "log == path ==", "ltp -noff",
    ], timeout_seconds)
    module, before = (json.loads(file.read_text(encoding="utf-8"))["modules"][f"\\{name}"] for file in (stat, prepared))
    cells = Counter({cell: int(n) for cell, n in module["num_cells_by_type"].items()})
    cells["transistors"] = int(str(module.get("estimated_num_transistors", "0")).rstrip("+"))
    cells["area"] = round(float(module.get("area", 0)))
    length = re.search(r"Longest topological path in \S+ \(length=(\d+)\)", log[log.index("== path ==") :])
    row = BlockResult(block=name, instances=instances, resources=technology.counted(cells),
                      levels=int(length[1]) if length else 0)
    return row, int(before["num_memory_bits"])
