"""The chip in integers: the encoder alone, or the whole data path."""

from __future__ import annotations

from models.command_line import lazy_app

COMMANDS = {
    "encode": ("emulator.commands.encode:encode", "Module charges to latents."),
    "chip": ("emulator.commands.chip:app", "Link words through the whole chip."),
    "decode": ("emulator.commands.decode:decode", "Read frames back, one row of fields each."),
    "verify": ("emulator.commands.verify:verify", "Compare the emulator with published test vectors, bit by bit."),
    "figures": ("emulator.commands.figures:figures", "Draw the frame formats."),
}
app = lazy_app(__doc__, COMMANDS)

if __name__ == "__main__":
    app()
