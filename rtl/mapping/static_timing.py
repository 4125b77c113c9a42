"""Static timing of a design in standard cells, by OpenSTA: the slack of every stage of the pipeline.

The mapped blocks stay as they are, hierarchy included, apart from buffers where a net drives many pins. Blocks that are
static (registers that the bus writes) are left out, and so is the reset: no path of an event starts there. Delays are
those of cells with the pins that they drive; wires count nothing.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections import defaultdict
from itertools import groupby
from pathlib import Path

from models.errors import ToolFailed, ToolMissing
from rtl.design.block import Block
from rtl.mapping import yosys
from rtl.mapping.fan_out import FAN_OUT, buffered_design
from rtl.mapping.gates import FLIP_FLOPS
from rtl.mapping.synthesis import DESIGN_FILE, OSU018
from rtl.results import MappedDesign, PathPart, StageTiming, StaticTiming

CLOCK_NS = 25.0
_TECHNOLOGY = "osu018"
_CLOCK, _RESET, _INPUT_SLEW_NS = "clk", "rst", 0.2
_STEP = re.compile(r"^\s+(?P<delay>\d+\.\d+)\s+(?P<time>\d+\.\d+) [\^v] (?P<pin>\S+) \((?P<cell>\w+)\)$", re.MULTILINE)
_SLACK = re.compile(r"^\s+(?P<slack>-?\d+\.\d+)\s+slack \(", re.MULTILINE)


def static_timing(top: Block, netlists: Path, timeout_seconds: float = 3600) -> StaticTiming:
    """Slack of each register of `top`, from netlists of `econ-t rtl synth --technology osu018`.

    Raises InputError for netlists of another design, ToolMissing without OpenSTA or the library, ToolFailed, and
    TimeoutError.
    """
    program = shutil.which("sta")
    if program is None:
        raise ToolMissing("OpenSTA (sta) not found; install the Debian package opensta")
    if not OSU018.exists():
        raise ToolMissing(f"{OSU018} not found; install the Debian package qflow-tech-osu018")
    MappedDesign.load(netlists / DESIGN_FILE).check_same(_TECHNOLOGY, top.describe(), netlists / DESIGN_FILE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        registers, n_buffers = _netlist(top, netlists, folder, timeout_seconds)
        report = _run(program, top.module_name, sorted(registers), folder, timeout_seconds)
    stages = [_stage(register, registers[register], text) for register, text in report.items()]
    return StaticTiming(tool=f"OpenSTA {_version(program)}", library=OSU018.stem, clock_ns=CLOCK_NS, fan_out=FAN_OUT,
                        buffers=n_buffers, stages=tuple(stage for stage in stages if stage))


def _netlist(top: Block, netlists: Path, folder: Path, timeout_seconds: float) -> tuple[dict[str, int], int]:
    """Write all.v; returns the registers (instance.name) with their bits, and the number of buffers."""
    static = {part.module_name for block in top.definitions() if block.static for part in block.definitions()}
    added = {name: n for name, n in buffered_design(top, netlists, folder).items() if name not in static}
    inside: dict[str, dict[str, int]] = {}
    n_buffers: dict[str, int] = {}
    for name, own in added.items():
        path = folder / f"{name}.netlist"
        module = json.loads(path.read_text(encoding="utf-8"))["modules"][name]
        placed = [(instance, cell["type"]) for instance, cell in module["cells"].items() if cell["type"] in inside]
        n_buffers[name] = own + sum(n_buffers[kind] for _, kind in placed)
        inside[name] = _named_registers(path, module)
        for instance, kind in placed:
            inside[name].update({f"{instance}/{register}": n for register, n in inside[kind].items()})
    verilog = folder / "all.v"
    yosys.run([*(f"read_json {yosys.quoted(folder / f'{name}.netlist')}" for name in added),
               f"write_verilog -noattr -noexpr {yosys.quoted(verilog)}"], timeout_seconds)
    # OpenSTA does not know the word, and between cells it means nothing.
    verilog.write_text(re.sub(r"\bsigned ", "", verilog.read_text(encoding="utf-8")), encoding="utf-8")
    return inside[top.module_name], n_buffers[top.module_name]


def _named_registers(path: Path, module: dict[str, object]) -> dict[str, int]:
    """Give each flip-flop the name of the register that it is a bit of; returns the registers with their bits."""
    cells, names = module["cells"], module["netnames"]
    assert isinstance(cells, dict)
    assert isinstance(names, dict)
    # The widest of the names that a bit has.
    owner = {bit: (name, k)
             for name, net in sorted(names.items(), key=lambda item: (not item[1]["hide_name"], len(item[1]["bits"])))
             for k, bit in enumerate(net["bits"])}
    bits: dict[str, int] = defaultdict(int)
    renamed = {}
    for name, cell in cells.items():
        if cell["type"] in FLIP_FLOPS:
            register, k = owner[cell["connections"]["Q"][0]]
            register = re.sub(r"\W+", "_", register)
            bits[register] += 1
            renamed[f"{register}_bit_{k}"] = cell
        else:
            renamed[name] = cell
    module["cells"] = renamed
    path.write_text(json.dumps({"modules": {path.stem: module}}), encoding="utf-8")
    return dict(bits)


def _run(program: str, top: str, registers: list[str], folder: Path, timeout_seconds: float) -> dict[str, str]:
    """The worst path to each register, as OpenSTA prints it."""
    lines = [f"read_liberty {OSU018}", "read_verilog all.v", f"link_design {top}",
             f"create_clock -name clock -period {CLOCK_NS} [get_ports {_CLOCK}]",
             "set_input_delay 0 -clock clock [all_inputs]", f"set_input_transition {_INPUT_SLEW_NS} [all_inputs]",
             f"set_false_path -from [get_ports {_RESET}]"]
    for register in registers:
        lines += [f'puts "== {register} =="',
                  f"report_checks -path_delay max -to [get_pins {register}_bit_*/D] -format full -digits 4"]
    (folder / "timing.tcl").write_text("\n".join([*lines, "exit", ""]), encoding="utf-8")
    try:
        found = subprocess.run([program, "-no_splash", "-exit", "timing.tcl"], cwd=folder, capture_output=True,
                               text=True, timeout=timeout_seconds, check=False)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"OpenSTA took more than {timeout_seconds:g} s") from None
    errors = [line for line in (found.stdout + found.stderr).splitlines() if line.startswith("Error")]
    if found.returncode or errors:
        raise ToolFailed(f"OpenSTA: {(errors or found.stderr.splitlines()[-1:] or ['no message'])[0]}")
    parts = re.split(r"^== (\S+) ==$", found.stdout, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _stage(register: str, bits: int, text: str) -> StageTiming | None:
    """The slack of a register; None for one that no path of an event reaches."""
    slack = _SLACK.search(text)
    if slack is None:
        return None
    # Without the port or the clock pin where a path starts, and the pin where it ends.
    steps = [(found["pin"], float(found["delay"])) for found in _STEP.finditer(text)
             if found["cell"] != "in" and not found["pin"].endswith(("/CLK", "/D"))]
    parts = [PathPart(block=block, cells_ns=round(sum(delay for _, delay in own), 3), wires_ns=0)
             for block, own in groupby(steps, key=lambda step: _block_of(step[0]))]
    return StageTiming(register_name=register.replace("/", "."), bits=bits, slack_ns=float(slack["slack"]),
                       cells=len(steps), buffers=sum("fan_out_" in pin for pin, _ in steps), path=tuple(parts))


def _block_of(pin: str) -> str:
    return ".".join(pin.split("/")[:-2]) or "top"


def _version(program: str) -> str:
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    return said.stdout.split()[0] if said.stdout.split() else ""
