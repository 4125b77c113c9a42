"""The encoder in the registers of the chip, and encoders from Keras files."""

from __future__ import annotations

from models.command_line import lazy_app

COMMANDS = {
    "registers": ("models.commands.registers:app", "Weights into the chip's registers or out; other dialects."),
    "import": ("emulator.commands.import_keras:import_keras", "An encoder of Keras or TensorFlow as integer weights."),
}
app = lazy_app(__doc__, COMMANDS)

if __name__ == "__main__":
    app()
