"""Commands `weights`: the shipped sets, their cards, and how they are made."""

from __future__ import annotations

from models.command_line import lazy_app

app = lazy_app("Shipped sets of weights and decoders: list them, show a card, train and ship them.", {
    "list": ("training.commands.weights.list:show_list", "List the shipped sets with their EMD."),
    "card": ("training.commands.weights.card:card", "Show what a set was trained on and how good it is."),
    "make": ("training.commands.weights.make:make", "Train the recipes and ship the results."),
    "ship": ("training.commands.weights.ship:ship", "Ship a finished run."),
})
