"""The chip in integers: the encoder alone, or the whole data path."""

from __future__ import annotations

from emulator.commands import CHIP
from models.command_line import lazy_app

COMMANDS = {
    "encode": ("training.commands.encode:encode", "Module charges to latents."),
    "chip": ("emulator.commands.chip:app", "Link words through the whole chip."),
    **CHIP,
}
app = lazy_app(__doc__, COMMANDS)

if __name__ == "__main__":
    app()
