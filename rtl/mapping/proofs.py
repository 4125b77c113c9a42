"""Proofs by SAT that a block equals a second description for all inputs.

The second descriptions are Verilog, written from the chip's specification with loops and operators in place of networks
of gates, and use nothing of the RTL. Each is a module `miter` that places the block as `dut` and has one output,
`equal`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from amaranth.hdl import Module, unsigned
from amaranth.lib.wiring import In, Out
from typing_extensions import override

from models.errors import ToolFailed
from models.fixed_point import FixedPoint
from models.spec import EncoderSpec
from rtl.design.arithmetic import Target
from rtl.design.block import Block
from rtl.design.formatter import FrameWords, MaskPacker, MaskSteps
from rtl.design.layers import InputCode, Neuron
from rtl.design.normaliser import ChannelShifter, FloatEncoder
from rtl.mapping import yosys


class Disproved(ToolFailed):
    """The solver found inputs for which the two descriptions differ; the message is its table of signals."""


@dataclass(frozen=True)
class Proof:
    """A block and the module `miter` that compares it with a second description."""

    block: Callable[[], Block]
    miter: str = field(repr=False)


_FLOAT = """
module miter (input [21:0] value, output equal);
    wire [8:0] code;
    dut dut (.value(value), .code(code));
    reg [8:0] expected;
    integer length, i;
    always @* begin
        length = 0;
        for (i = 0; i < 22; i = i + 1) if (value[i]) length = i + 1;
        expected = value[8:0];
        for (i = 5; i <= 22; i = i + 1) if (length == i) expected = ((i - 4) << 4) + ((value >> (i - 5)) & 15);
    end
    assign equal = code == expected;
endmodule
"""

_SHIFTER = """
module miter (input [21:0] charge, input [4:0] shift, input enable, output equal);
    wire [7:0] code;
    wire [9:0] thrice;
    dut dut (.charge(charge), .shift(shift), .enable(enable), .code(code), .thrice(thrice));
    wire [28:0] moved = {charge, 7'b0} >> shift;
    wire [7:0] expected = enable ? moved[7:0] : 8'd0;
    wire [9:0] expected_thrice = expected + expected + expected;
    assign equal = code == expected && thrice == expected_thrice;
endmodule
"""

_FRAME = """
module miter (input [4:0] counter, input [8:0] sum_code, input [143:0] payload, input [3:0] n_links, output equal);
    wire [159:0] words;
    dut dut (.counter(counter), .sum_code(sum_code), .payload(payload), .n_links(n_links), .words(words));
    reg [159:0] frame, expected;
    reg [2:0] n;
    integer i, k;
    always @* begin
        n = n_links > 5 ? 5 : n_links;
        expected = 160'd0;
        for (k = 1; k <= 5; k = k + 1) if (n == k) begin
            // 32 k bits: the header in the highest 14, then as many low bits of the payload as fit.
            frame = {16'd0, payload} & ((160'd1 << (32 * k - 14)) - 160'd1);
            frame = frame | ({146'd0, counter, sum_code} << (32 * k - 14));
            for (i = 0; i < k; i = i + 1) expected[32 * i +: 32] = frame[32 * (k - 1 - i) +: 32];
        end
    end
    assign equal = words == expected;
endmodule
"""

_MASK_BITS = 16

_MASK = f"""
module miter (input [{_MASK_BITS - 1}:0] payload, input [{_MASK_BITS - 1}:0] mask, output equal);
    wire [{_MASK_BITS - 1}:0] packed_bits;
    dut dut (.payload(payload), .mask(mask), .packed_bits(packed_bits));
    reg [{_MASK_BITS - 1}:0] expected;
    reg [4:0] n;
    integer i;
    always @* begin
        expected = 0;
        n = 0;
        for (i = 0; i < {_MASK_BITS}; i = i + 1) if (mask[i]) begin
            expected = expected | ({{{_MASK_BITS - 1}'d0, payload[i]}} << n);
            n = n + 1;
        end
    end
    assign equal = packed_bits == expected;
endmodule
"""


class _Mask(Block):
    """Both parts of the mask together."""

    def __init__(self, width: int) -> None:
        bits = unsigned(width)
        super().__init__(f"mask_{width}", {"payload": In(bits), "mask": In(bits), "packed_bits": Out(bits)})
        self._steps = self.uses(MaskSteps(width))
        self._packer = self.uses(MaskPacker(self._steps))

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        moves = self.place(m, "steps", self._steps, mask=self.mask)["moves"]
        packed = self.place(m, "packer", self._packer, payload=self.payload, mask=self.mask, moves=moves)["packed"]
        m.d.comb += self.packed_bits.eq(packed)
        return m


def _product(layer: str, target: Target) -> Proof:
    """A cut product with bias and activation, against signed multiplication and an arithmetic shift."""
    spec = EncoderSpec.chip(5)
    formats, data, cut = (spec.conv, spec.input, 5) if layer == "conv" else (spec.dense, spec.conv.output, 4)
    top = formats.output.width - 1
    return Proof(lambda: Neuron(formats, data, [InputCode.of(range(256))], target), f"""
module miter (input [7:0] code, input signed [5:0] weight, input signed [5:0] bias, output equal);
    wire [{top}:0] result;
    dut dut (.code(code), .thrice(10'd3 * code), .weight(weight), .bias(bias),
             .excess((code << {5 - cut}) + (32 << {7 - cut})), .result(result));
    wire signed [8:0] h = {{1'b0, code}};
    wire signed [15:0] product = h * weight;
    wire signed [15:0] sum = (product >>> {cut}) + (bias <<< {7 - cut});
    wire [{top}:0] expected = sum < 0 ? 0 : sum > {(2 << top) - 1} ? {(2 << top) - 1} : sum[{top}:0];
    assign equal = result == expected;
endmodule
""")


PROOFS: Mapping[str, Proof] = {
    "5E4M encoder": Proof(lambda: FloatEncoder(22, 5, 4), _FLOAT),
    "shift normaliser": Proof(lambda: ChannelShifter(FixedPoint.parse("U1.7")), _SHIFTER),
    "frame of 1 to 5 links": Proof(lambda: FrameWords(144), _FRAME),
    f"mask of {_MASK_BITS} bits": Proof(lambda: _Mask(_MASK_BITS), _MASK),
    **{f"floored product, {layer}, {target}": _product(layer, target)
       for layer in ("conv", "dense") for target in ("asic", "fpga")},
}
"""All proofs, by name.

Examples:
    >>> from rtl import PROOFS
    >>> list(PROOFS)[:2]
    ['5E4M encoder', 'shift normaliser']
"""


def prove(proof: Proof, timeout_seconds: float = 300) -> float:
    """Run a proof and return the seconds it took; raises Disproved with the inputs, or TimeoutError.

    Examples:
        >>> from rtl import PROOFS, prove
        >>> prove(PROOFS["mask of 16 bits"]) > 0  # seconds; a wrong one raises Disproved
        True
    """
    start = time.monotonic()
    block = proof.block()
    with tempfile.TemporaryDirectory() as folder:
        files = yosys.export(block, Path(folder))
        miter = Path(folder) / "miter.v"
        miter.write_text(proof.miter, encoding="utf-8")
        log = yosys.run([
            *(f"read_rtlil {yosys.quoted(file)}" for file in files), f"rename {block.module_name} dut",
            f"read_verilog {yosys.quoted(miter)}",
            "hierarchy -check -top miter", "proc", "flatten", "opt -full", "opt_clean",
            "sat -prove equal 1 -show-ports miter",
        ], timeout_seconds)
    if "SUCCESS!" not in log:
        raise Disproved(log[log.find("SAT proof finished") :][:2000])
    return time.monotonic() - start
