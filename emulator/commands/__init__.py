"""The commands of the emulator."""

CHIP = {
    "decode": ("emulator.commands.decode:decode", "Read frames back, one row of fields each."),
    "compare": ("emulator.commands.compare:compare", "Compare an expected and a recorded capture, and guess why they "
                                                     "differ."),
    "verify": ("emulator.commands.verify:verify", "Compare the emulator with published test vectors, bit by bit."),
    "figures": ("emulator.commands.figures:figures", "Draw the frame formats."),
}
"""Those about the whole chip, which stand under `chip` too."""
