"""Whole events through the trigger: what weights and links are worth in resolution, efficiency and rate."""

from __future__ import annotations

from models.command_line import lazy_app

COMMANDS = {
    "run": ("training.commands.trigger.run:run", "Compare systems on the same events."),
    "systems": ("training.commands.trigger.systems:systems", "List the systems of this project."),
}
app = lazy_app(__doc__, COMMANDS)
