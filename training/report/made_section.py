"""Section of the report that says how the page was made."""

from __future__ import annotations

from models.provenance import Provenance
from training.report.parts import Section, plain_table
from training.results.comparison import Comparison


def made_section(made: Provenance, training: str, physics: Comparison | None) -> Section:
    """Say when, by what and from which modules; `training` tells those of the training."""
    compared = (f"{physics.n_modules:,} modules of {physics.data}; seed of the bootstrap {physics.options.seed}"
                if physics else "-")
    rows = [["date", made.date], ["version", f"{made.version}, commit {made.commit or 'unknown'}"],
            ["command", made.command], ["host", made.host], ["modules of the training", training],
            ["modules of the comparison", compared],
            ["tools", ", ".join(f"{name} {version}" for name, version in made.tools.items())]]
    return Section("How this page was made", "The tools are those of the process that wrote the page.",
                   [plain_table(["what", "value"], rows)])


