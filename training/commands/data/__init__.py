"""Commands `data`: module charges from collisions or ntuples, and their preparation for training."""

from __future__ import annotations

from models.command_line import lazy_app

app = lazy_app("Module charges: make, convert, split, skim, shuffle and double them.", {
    "generate": ("training.commands.data.generate:generate", "Make module charges and show their distributions."),
    "from-ntuple": ("training.commands.data.from_ntuple:from_ntuple", "Convert trigger-primitive ntuples to charges."),
    "split": ("training.commands.data.split:split", "Split rows by the output links of their module."),
    "skim": ("training.commands.data.skim:skim", "Skip partial modules and those with little charge."),
    "shuffle": ("training.commands.data.shuffle:shuffle", "Shuffle all rows, in bounded memory."),
    "double": ("training.commands.data.double:double", "Add as many overlays of two rows."),
    "validate": ("training.commands.data.validate:validate", "Draw samples side by side."),
})
