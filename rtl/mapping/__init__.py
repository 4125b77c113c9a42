"""Yosys: Verilog, synthesis, timing, netlists of gates, proofs."""
