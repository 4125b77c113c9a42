"""Page of many runs: their ranking on the same modules, next to the chip's other algorithms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from models.files import write_text
from models.provenance import provenance
from models.wording import counted
from rtl.results import ChipSynthesis
from training.figures.style import style
from training.physics.wording import verdict_lines, with_error
from training.report.comparison_section import comparison_sections, difference_cell, mean_cell, sigma_cell
from training.report.interactive import explorer_data
from training.report.made_section import made_section, modules_of
from training.report.parts import Cell, Line, Section, Table
from training.report.render import render
from training.results.comparison import Comparison, SchemeResult
from training.results.run import RunSummary
from training.results.size import Size

if TYPE_CHECKING:
    from training.fit.run import Run


def write_runs_report(runs: Mapping[str, Run], physics: Comparison, path: Path) -> Path:
    """Write one page about trained runs, by the name of their scheme in a comparison of all of them."""
    first = next(iter(runs.values()))
    histories = {run.name: run.history for run in runs.values() if run.history_file.exists()}
    made, title = provenance(), f"{counted(len(runs), 'run')} compared"
    sections = [
        Section("Ranking", "All runs on the same modules, the best on each number of links first. Difference to the "
                           "best: mean EMD minus that of the best algorithm on these links, trained or not, with its "
                           "bootstrap error.", [_ranking(runs, physics)]),
        Section("Runs", "How each was trained.", [_trainings(runs)]),
        *comparison_sections(physics),
        Section("Learning curves", "Of the validation modules of each run; losses of different names have different "
                "scales." if histories else "Shipped sets come without theirs; econ-t weights card NAME says how each "
                "was trained.", explorer="learning" if histories else ""),
        made_section(made, modules_of("see the table of runs", physics)),
    ]
    with style("page"):
        page = render(
            title, f"ECON-T autoencoder: {title}", f"On {physics.n_selected:,} modules of {physics.data}", made=made,
            verdict=[*(Line("", text) for text in verdict_lines(physics)),
                     *(Line("bad", text) for text in physics.remarks)], sections=sections,
            data=explorer_data(physics, histories, first.config.encoder.n_elinks))
    write_text(path, page)
    return path


def _ranking(runs: Mapping[str, Run], physics: Comparison) -> Table:
    rows = []
    for n_elinks in physics.decided:
        encoders = [one for one in physics.table(n_elinks) if one.algorithm == "AE"]
        for rank, one in enumerate(encoders, start=1):
            rows.append([Cell(str(n_elinks), n_elinks), Cell(str(rank), rank), Cell(runs[one.name].name),
                         mean_cell(one.emd), difference_cell(one), _best_other(physics, one),
                         mean_cell(one.energy_response), sigma_cell(one.energy_response), _gates(runs[one.name])])
    return Table(["links", "rank", "run", "EMD", "difference to the best", "best other algorithm", "energy response",
                  "energy resolution", "NAND2"], rows, frozenset({0, 1, 3, 4, 6, 7, 8}), stacks=True)


def _best_other(physics: Comparison, encoder: SchemeResult) -> Cell:
    best = next(one for one in physics.table(encoder.n_elinks) if one.algorithm != "AE")
    return Cell(f"{best.name}: {with_error(best.emd)}")


def _gates(run: Run) -> Cell:
    """Gates of this encoder's RTL, as the run counted them (`make rtl-synth`) or else as `econ-t size` has them."""
    digest = run.config.encoder.digest()
    mapped, size = ChipSynthesis.find(run.rtl_file("gates")), Size.find(run.size_file)
    rows = [mapped.total.nand2] if mapped and mapped.digest == digest else []
    rows += [row.nand2 for row in size.block] if size and size.digest == digest else []
    nand2 = next((one for one in rows if one is not None), None)
    return Cell("-") if nand2 is None else Cell(f"{nand2:,}", nand2)


def _trainings(runs: Mapping[str, Run]) -> Table:
    rows = []
    for run in runs.values():
        config = run.config
        training, spec = config.training, config.encoder
        rows.append([
            Cell(run.name), Cell(config.name), Cell(str(spec.n_elinks), spec.n_elinks), Cell(spec.arithmetic),
            Cell(", ".join(str(layer.weight).split()[0] for layer in (spec.conv, spec.dense))),
            *_training(run), Cell(str(training.seed), training.seed)])
    return Table(["run", "configuration", "links", "arithmetic", "weights", "loss", "epochs", "kept", "modules",
                  "from", "seed"], rows, frozenset({2, 6, 7, 8, 10}), stacks=True)


def _training(run: Run) -> list[Cell]:
    """Loss, epochs, the one that was kept, modules and where they are from; of a shipped set, of its last training."""
    config = run.config
    if run.is_shipped:
        last = run.card.trained_on[-1]
        return [Cell(last.loss), _whole(last.epochs), Cell("-"), _whole(last.n_train), Cell(last.modules)]
    summary = RunSummary.find(run.summary_file)
    source = (summary.data if summary else None) or ", ".join(config.data.files) or config.data.source
    losses = Cell(f"{config.training.loss}, then {config.training.final_loss}")
    if summary is None:
        return [losses, Cell("-"), Cell("-"), Cell("-"), Cell(source)]
    return [losses, _whole(summary.epochs), _whole(summary.best_epoch), _whole(summary.n_train), Cell(source)]


def _whole(number: int) -> Cell:
    return Cell(f"{number:,}", number)
