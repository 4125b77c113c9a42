"""The encoder block as open RTL: Verilog, simulation, synthesis, proofs."""

from __future__ import annotations

from models.command_line import lazy_app

COMMANDS = {
    "verilog": ("rtl.commands.verilog:verilog", "Write the Verilog of the encoder block."),
    "sim": ("rtl.commands.sim:sim", "Run charges through the simulated Verilog."),
    "synth": ("rtl.commands.synth:app", "Count gates or look-up tables of every block, by Yosys."),
    "activity": ("rtl.commands.activity:app", "Count how often the gates change on events."),
    "timing": ("rtl.commands.timing:timing", "Find the slack of every register in standard cells, by OpenSTA."),
    "constant": ("rtl.commands.constant:constant", "Write the layers with weights as constants, by da4ml."),
    "decoder": ("rtl.commands.decoder:decoder", "Write a compact decoder with weights as constants, by da4ml."),
    "place": ("rtl.commands.place:place", "Place and route a design on an FPGA, by open tools."),
    "formal": ("rtl.commands.formal:formal", "Prove that blocks equal a second description."),
}
app = lazy_app(__doc__, COMMANDS)

if __name__ == "__main__":
    app()
