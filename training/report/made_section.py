"""Section of a page that says how it was made."""

from __future__ import annotations

from collections.abc import Mapping

from models.provenance import Provenance
from training.report.parts import Section, plain_table
from training.results.comparison import Comparison


def made_section(made: Provenance, modules: Mapping[str, str]) -> Section:
    """Say when, by what and from which modules, which have a title each."""
    rows = [["date", made.date], ["version", f"{made.version}, commit {made.commit or 'unknown'}"],
            ["command", made.command], ["host", made.host], *([title, text] for title, text in modules.items()),
            ["tools", ", ".join(f"{name} {version}" for name, version in made.tools.items())]]
    return Section("How this page was made", "The tools are those of the process that wrote the page.",
                   [plain_table(["what", "value"], rows)])


def modules_of(training: str, physics: Comparison | None) -> dict[str, str]:
    """Modules that trained a run, in words, and those of a comparison."""
    return {"modules of the training": training, "modules of the comparison":
            f"{physics.n_modules:,} modules of {physics.data}; seed of the bootstrap {physics.options.seed}"
            if physics else "-"}
