"""The encoder block of the chip as open RTL: Amaranth -> Verilog, Verilator simulation, Yosys synthesis and proofs."""
