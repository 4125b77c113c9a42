"""Place and route by open tools: Yosys, then nextpnr, for Lattice ECP5."""
