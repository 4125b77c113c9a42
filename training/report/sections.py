"""Sections of the report with their texts, tables and figures, made from what `training.report.page` gathers."""

from __future__ import annotations

from models.bit_comparison import TITLES, StageComparison
from models.wording import counted
from training.figures.module import latent_histograms
from training.figures.training import kernels, weight_histograms
from training.report.comparison_section import comparison_sections
from training.report.hardware_section import hardware_section
from training.report.latents_section import latents_section
from training.report.made_section import made_section, modules_of
from training.report.parts import Cell, Plot, Section, Table, plain_table
from training.report.trigger_section import trigger_section
from training.results.evaluation import Evaluation
from training.results.latents import LatentStatistics
from training.results.report import ReportContent
from training.results.run import History


def sections(content: ReportContent) -> list[Section]:
    """All sections of the page, below the verdict."""
    older, by = content.older, content.commands
    return [
        *(comparison_sections(content.physics) if content.physics else []),
        trigger_section(content.trigger, older.trigger or (
            f"Not run (minutes; a system of other weights: docs/trigger.md): {by.trigger}")),
        _evaluation(content.metrics, older.metrics or f"Not run (seconds): {by.metrics}"),
        *([latents_section(content.latent_maps)] if content.latent_maps else []),
        _learning(content.history),
        Section("Weights", "Number of times each code occurs; codes at the ends of the range hit the six-bit limit.",
                plots=[Plot("weights", weight_histograms(content.weights), "Codes of each array", wide=True),
                       Plot("kernels", kernels(content.weights["conv_kernel"].codes, content.config.n_filters),
                            "Convolution kernels", wide=True)]),
        _bit_exactness(content),
        hardware_section(content.hardware, by),
        Section("Number formats", "As in the configuration: sign, integer bits (with sign), fractional bits.",
                [plain_table(["quantity", "format"], [list(item) for item in content.formats.items()])]),
        made_section(content.made, modules_of(content.config.data, content.physics)),
    ]


def _evaluation(evaluation: Evaluation | None, absent: str) -> Section:
    if evaluation is None:
        return Section("This encoder", absent)
    meanings = evaluation.meanings()
    rows = [[Cell(name), _value(getattr(evaluation, name)), Cell(meanings.get(name, ""))]
            for name in ("config", "weights", *meanings)]
    return Section("This encoder", "Physics performance of the weights of this run, from the emulator's integers.",
                   [Table(["metric", "value", "meaning"], rows, frozenset({1}))],
                   children=[_latents(evaluation.latents)] if evaluation.latents else [])


def _latents(found: LatentStatistics) -> Section:
    rows = [[Cell(str(k), k), Cell(str(one.least), one.least), Cell(str(one.largest), one.largest),
             Cell(str(one.n_codes), one.n_codes), Cell(f"{one.entropy:.2f}", one.entropy),
             Cell(f"{one.at_zero:.1%}", one.at_zero), Cell(f"{one.at_end:.1%}", one.at_end)]
            for k, one in enumerate(found.latents)]
    titles = ["latent", "least code", "largest code", "codes", "entropy [bits]", "at 0", "at the end"]
    return Section("Latents", f"{found}. The entropy is that of each latent's codes alone, over these modules.",
                   [Table(titles, rows, frozenset(range(len(titles))))],
                   [Plot("latents", latent_histograms(found), f"How often each code of {len(found.latents)} latents is "
                         "sent", wide=True)])


def _learning(history: History | None) -> Section:
    if history is None:
        return Section("Learning curves", "Not shipped with the set: 'econ-t weights card' says how it was trained.")
    kept = (f"validation EMD {min(history.val_emd):.3f}" if history.val_emd
            else f"validation loss {min(history.val_loss):.4g}")
    text = (f"{counted(len(history.loss), 'epoch')}; the one that was kept has {kept}. If the last epochs use another "
            "loss (training.final_loss), the scale of the loss changes at the dashed line.")
    return Section("Learning curves", text, explorer="learning")


def _bit_exactness(content: ReportContent) -> Section:
    found = {TITLES.get(name, name): {row.stage: row for row in result.stages}
             for comparison in (content.bit_exactness, content.rtl) if comparison
             for name, result in comparison.backends.items()}
    stages = dict.fromkeys(stage for rows in found.values() for stage in rows)
    rows = [[Cell(stage), *(_mismatches(one.get(stage)) for one in found.values())] for stage in stages]
    text = ("How many integer codes of each stage differ from those of the emulator in any bit." if rows
            else content.older.bit_exactness or f"Not run (seconds): {content.commands.bit_exactness}")
    table = Table(["stage", *found], rows, frozenset(range(1, 1 + len(found))))
    sets = [[one.name, one.algorithm, one.n_elinks, one.n_frames, one.n_exact, one.status, one.reason]
            for one in content.vectors.sets] if content.vectors else []
    published = plain_table(["set of published test vectors", "algorithm", "links", "frames", "exact", "result",
                             "reason"], sets, frozenset({2, 3, 4}), stacks=True)
    return Section("Bit-exactness", text, [table] if rows else [],
                   children=[Section("Published test vectors", tables=[published], unfolded=False)] if sets else [])


def _mismatches(found: StageComparison | None) -> Cell:
    if found is None:
        return Cell("-")
    where = f", in {counted(found.n_events, 'event')}" if found.n_mismatches else ""
    return Cell(f"{found.n_mismatches:,} of {found.n_values:,}{where}", found.n_mismatches)


def _value(value: str | float | int | None) -> Cell:
    return Cell("-" if value is None else f"{value:.4g}" if isinstance(value, float) else
                f"{value:,}" if isinstance(value, int) else value, value)
