"""A routed netlist of nextpnr as Verilog, for simulation: what the look-up tables, flip-flops and hard blocks do.

Yosys' models of the same cells do not know the second data input of a flip-flop, which nextpnr uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.errors import InputError
from models.files import read_json, write_text


def write_verilog(routed: Path, target: Path) -> None:
    """Write a netlist of one clock as a module with name and ports of the design that was routed.

    Raises InputError for a cell that is not one of a look-up table, a flip-flop, a multiplier, a memory with a port for
    writing and one for reading, a pin or the clock's buffer.
    """
    name, module = next(iter(read_json(routed, ["modules"])["modules"].items()))
    netlist = _Netlist()
    for cell_name, cell in module["cells"].items():
        netlist.add(_Cell(f"{routed}: cell {cell_name}", cell))
    if len(netlist.clocks) != 1:
        raise InputError(f"{routed}: flip-flops with {len(netlist.clocks)} clocks, expected 1")
    header, ports = [f"module {name}({', '.join(module['ports'])});"], []
    for port, content in module["ports"].items():
        header.append(f"  {content['direction']} [{len(content['bits']) - 1}:0] {port};")
        pins = [(f"{port}[{k}]", netlist.pads[pad]) for k, pad in enumerate(content["bits"]) if pad in netlist.pads]
        ports += [f"  assign {inside} = {pin};" if content["direction"] == "input" else f"  assign {pin} = {inside};"
                  for pin, inside in pins]
    write_text(target, "\n".join([*header, *netlist.wires, *ports, *netlist.logic,
                                  f"  always @(posedge {netlist.clocks.pop()}) begin", *netlist.edges, "  end",
                                  "endmodule", ""]))


class _Cell:
    """A cell of the netlist; `place` names it in errors."""

    def __init__(self, place: str, content: Mapping[str, Any]) -> None:
        self.place, self.type = place, str(content["type"])
        self._parameters, self._nets = content["parameters"], content["connections"]

    def pin(self, name: str) -> int | None:
        """Number of the net at a pin; None for one that is not connected."""
        return next(iter(self._nets.get(name, ())), None)

    def value(self, name: str, absent: int = 0) -> str:
        """The value at a pin, `absent` where no net is."""
        net = self.pin(name)
        return f"1'b{absent}" if net is None else f"n{net}"

    def word(self, name: str, n_bits: int) -> str:
        """The values at pins NAME0 to NAMEn, as one."""
        return f"{{{', '.join(self.bit(f'{name}{k}') for k in reversed(range(n_bits)))}}}"

    def bit(self, name: str) -> str:
        """The value at a pin of a hard block, after its own multiplexer: a pin without a net is pulled up."""
        kind = self.choice(f"{name}MUX", name, "INV", "0")
        return "1'b0" if kind == "0" else "!" * (kind == "INV") + self.value(name, absent=1)

    def choice(self, name: str, default: str, *others: str) -> str:
        """A parameter; raises InputError for a value that is not known here."""
        found = str(self._parameters.get(name, default)).strip()
        if found not in (default, *others):
            raise InputError(f"{self.place}: {name} {found}, expected one of {', '.join((default, *others))}")
        return found

    def table(self) -> int:
        """The content of a look-up table."""
        return int(self._parameters["INITVAL"], 2)


class _Netlist:
    """Lines of Verilog, by what they are."""

    def __init__(self) -> None:
        self.pads: dict[int, str] = {}
        """The value inside a pad, by the net outside."""
        self.wires: list[str] = []
        self.logic: list[str] = []
        self.edges: list[str] = []
        self.clocks: set[str] = set()

    def add(self, cell: _Cell) -> None:
        """Write a cell."""
        kinds = {"TRELLIS_COMB": self._table, "TRELLIS_FF": self._flip_flop, "TRELLIS_IO": self._pin,
                 "DCCA": self._buffer, "MULT18X18D": self._multiplier, "DP16KD": self._memory}
        if cell.type not in kinds:
            raise InputError(f"{cell.place}: type {cell.type}, expected one of {', '.join(kinds)}")
        kinds[cell.type](cell)

    def _buffer(self, cell: _Cell) -> None:
        self._drive(cell.pin("CLKO"), cell.value("CLKI"))

    def _drive(self, net: int | None, value: str) -> None:
        if net is not None:
            self.wires.append(f"  wire n{net};")
            self.logic.append(f"  assign n{net} = {value};")

    def _table(self, cell: _Cell) -> None:
        """A table of four inputs with its piece of a carry chain or of a wider multiplexer."""
        a, b, c, d = (cell.value(pin, absent=1) for pin in "ABCD")  # inputs without a net are pulled up
        table, carry = cell.table(), cell.value("FCI")
        own = f"t{len(self.wires)}"
        self.wires.append(f"  wire {own};")
        self.logic.append(f"  assign {own} = 16'h{table:04x} >> {{{d}, {c}, {b}, {a}}};")
        result = own
        if cell.choice("MODE", "LOGIC", "CCU2") == "CCU2":
            cut = cell.choice("CCU2_INJECT1", "NO", "YES") == "YES"
            result = own if cut else f"{own} ^ {carry}"
            generated = "1'b0" if cut else f"4'h{table & 15:x} >> {{{b}, {a}}}"
            self._drive(cell.pin("FCO"), f"{own} ? {carry} : {generated}")
        self._drive(cell.pin("F"), result)
        low, high = ("FXA", "FXB") if cell.pin("FXA") is not None else ("F", "F1")
        self._drive(cell.pin("OFX"), f"{cell.value('M')} ? {cell.value(high)} : {cell.value(low)}")

    def _flip_flop(self, cell: _Cell) -> None:
        net = cell.pin("Q")
        self.clocks.add(cell.value("CLK"))
        cell.choice("CLKMUX", "CLK")
        cell.choice("SRMODE", "LSR_OVER_CE")
        at_reset = int(cell.choice("REGSET", "RESET", "SET") == "SET")
        data = cell.value("DI" if cell.choice("SD", "0", "1") == "1" else "M")
        enable = {"1": "1'b1", "0": "1'b0", "CE": cell.value("CE"),
                  "INV": f"!{cell.value('CE')}"}[cell.choice("CEMUX", "1", "0", "CE", "INV")]
        reset = "!" * (cell.choice("LSRMUX", "LSR", "INV") == "INV") + cell.value("LSR")
        self.wires.append(f"  reg n{net} = 1'b{at_reset};")
        self.edges.append(f"    if ({reset}) n{net} <= 1'b{at_reset}; else if ({enable}) n{net} <= {data};")

    def _multiplier(self, cell: _Cell) -> None:
        """A product of 18 x 18 bits, each factor with or without a sign, in the same clock."""
        for register in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT"):
            cell.choice(f"REG_{register}_CLK", "NONE")
        own = f"p{len(self.wires)}"
        self.wires.append(f"  wire [35:0] {own};")
        factors = [f"$signed({{{{18{{{sign} & {word[1:].partition(',')[0]}}}}}, {word}}})"
                   for sign, word in ((cell.value(f"SIGNED{side}"), cell.word(side, 18)) for side in "AB")]
        self.logic.append(f"  assign {own} = {' * '.join(factors)};")
        for k in range(36):
            self._drive(cell.pin(f"P{k}"), f"{own}[{k}]")

    def _memory(self, cell: _Cell) -> None:
        """512 words of 36 bits: port A writes, its lowest address bits enable nine bits each; port B reads."""
        for side in "AB":
            cell.choice(f"DATA_WIDTH_{side}", f"{36:032b}")
            cell.choice(f"REGMODE_{side}", "NOREG")
            cell.choice(f"CLK{side}MUX", f"CLK{side}")
            self.clocks.add(cell.value(f"CLK{side}"))
        cell.choice("WEBMUX", "INV")
        name, address = f"m{len(self.wires)}", "{{{}}}"
        self.wires += [f"  reg [35:0] {name} [0:511];", f"  reg [35:0] {name}_q;"]
        writing, reading = (address.format(", ".join(cell.bit(f"AD{side}{k}") for k in range(13, 4, -1)))
                            for side in "AB")
        given = f"{{{cell.word('DIB', 18)}, {cell.word('DIA', 18)}}}"
        self.wires.append(f"  wire [35:0] {name}_d;")
        self.logic.append(f"  assign {name}_d = {given};")
        for k in range(4):
            part = f"[{9 * k} +: 9]"
            self.edges.append(f"    if ({cell.bit('CEA')} & {cell.bit('WEA')} & {cell.bit(f'ADA{k}')}) "
                              f"{name}[{writing}]{part} <= {name}_d{part};")
        self.edges.append(f"    if ({cell.bit('CEB')}) {name}_q <= {name}[{reading}];")
        for k in range(18):
            self._drive(cell.pin(f"DOA{k}"), f"{name}_q[{k}]")
            self._drive(cell.pin(f"DOB{k}"), f"{name}_q[{18 + k}]")

    def _pin(self, cell: _Cell) -> None:
        outside = cell.pin("B")
        assert outside is not None
        if cell.choice("DIR", "INPUT", "OUTPUT") == "OUTPUT":
            self.pads[outside] = cell.value("I")
        elif cell.pin("O") is not None:
            self.pads[outside] = cell.value("O")
            self.wires.append(f"  wire {cell.value('O')};")
