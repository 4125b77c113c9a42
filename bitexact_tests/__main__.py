"""The proof that emulator, C++ and RTL agree: equal in every bit, or red."""

from __future__ import annotations

from models.command_line import lazy_app

COMMANDS = {
    "compare": ("bitexact_tests.commands.compare:app", "Emulator against C++, stage by stage, bit by bit."),
    "matrix": ("bitexact_tests.commands.matrix:app", "Every configuration and family of weights, in one table."),
    "faults": ("bitexact_tests.commands.faults:faults", "Single faults in the code: a test must find each."),
}
app = lazy_app(__doc__, COMMANDS)

if __name__ == "__main__":
    app()
