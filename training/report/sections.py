"""Sections of the report with their texts, tables and figures, made from what `training.report.page` gathers."""

from __future__ import annotations

from dataclasses import dataclass

from models.bit_comparison import TITLES, BitComparison
from models.wording import counted
from training.figures import comparison as figures
from training.figures.module import latent_histograms
from training.figures.training import kernels, learning_curves, weight_histograms
from training.figures.wafer import image_display, wafer_display
from training.physics.wording import difference_text, margin_text, verdict_lines, with_error
from training.report.hardware_section import hardware_section
from training.report.parts import Cell, Plot, Section, Table, file_name, plain_table
from training.report.trigger_section import trigger_section
from training.report.trigger_section import verdict as trigger_verdict
from training.results.comparison import Comparison, Coordinate, Distribution, SchemeResult
from training.results.evaluation import Evaluation
from training.results.latents import LatentStatistics
from training.results.report import ReportContent
from training.results.run import History


@dataclass(frozen=True)
class Line:
    """A line of the verdict; kind is good, bad, soft or empty."""

    kind: str
    text: str


def verdict(content: ReportContent) -> list[Line]:
    """Verdict at the top of the page: whether all bits are equal, and which algorithm has the smallest EMD."""
    older, metrics = content.older, content.metrics
    absent = "Emulator and HLS C++ were not compared: make compare"
    lines = [*_equal(content.bit_exactness, older.bit_exactness or absent),
             *_equal(content.rtl, older.rtl or "Emulator and RTL were not compared: make rtl-sim (minutes)"),
             _vectors(content)]
    if metrics and metrics.emd_mean is not None:
        lines.append(Line("", f"Mean EMD {metrics.emd_mean:.3f}, median {metrics.emd_median:.3f} of this encoder "
                              f"on {metrics.n_selected:,} of the {metrics.n_modules:,} modules that were evaluated."))
    elif older.metrics:
        lines.append(Line("soft", older.metrics))
    if content.physics:
        lines += [Line("", text) for text in verdict_lines(content.physics)]
    else:
        lines.append(Line("soft", older.physics or "The algorithms were not compared: make physics"))
    if content.trigger:
        lines += [Line("", text) for text in trigger_verdict(content.trigger)]
    elif older.trigger:
        lines.append(Line("soft", older.trigger))
    return lines


def _equal(comparison: BitComparison | None, absent: str) -> list[Line]:
    if comparison is None:
        return [Line("soft", absent)]
    return [Line("good", f"Emulator = {TITLES.get(name, name)}: {counted(len(one.stages), 'stage')} equal in every "
                         f"bit, {comparison.n_events:,} events.")
            if one.equal else
            Line("bad", f"Emulator and {TITLES.get(name, name)} differ: {one.first_mismatch}")
            for name, one in comparison.backends.items()]


def _vectors(content: ReportContent) -> Line:
    found = content.vectors
    if found is None:
        return Line("soft", "Emulator and published test vectors were not compared: make vectors VECTORS=folder")
    when = "" if found.made.commit == content.made.commit else f" (commit {found.made.commit or 'unknown'})"
    return Line("good" if found.fine else "bad",
                f"Emulator {'=' if found.fine else 'and'} published test vectors{when}: {found}.")


def sections(content: ReportContent) -> list[Section]:
    """All sections of the page, below the verdict."""
    older = content.older
    return [
        *(_comparison(content.physics, content.config.n_elinks) if content.physics else []),
        trigger_section(content.trigger, older.trigger or "Not run: econ-t trigger run --system bc --system ae --json "
                                                          "RUN/trigger.json"),
        _evaluation(content.metrics, older.metrics or "Not run: make evaluate"),
        _learning(content.history),
        Section("Weights", "Number of times each code occurs; codes at the ends of the range hit the six-bit limit.",
                plots=[Plot("weights", weight_histograms(content.weights), "Codes of each array", wide=True),
                       Plot("kernels", kernels(content.weights["conv_kernel"].codes, content.config.n_filters),
                            "Convolution kernels", wide=True)]),
        _bit_exactness(content),
        hardware_section(content.hardware),
        Section("Number formats", "As in the configuration: sign, integer bits (with sign), fractional bits.",
                [plain_table(["quantity", "format"], [list(item) for item in content.formats.items()])]),
        _made(content),
    ]


def _made(content: ReportContent) -> Section:
    made, physics = content.made, content.physics
    compared = (f"{physics.n_modules:,} modules of {physics.data}; seed of the bootstrap {physics.options.seed}"
                if physics else "-")
    rows = [["date", made.date], ["version", f"{made.version}, commit {made.commit or 'unknown'}"],
            ["command", made.command], ["host", made.host], ["modules of the training", content.config.data],
            ["modules of the comparison", compared],
            ["tools", ", ".join(f"{name} {version}" for name, version in made.tools.items())]]
    return Section("How this page was made", "The tools are those of the process that wrote the page.",
                   [plain_table(["what", "value"], rows)])


def _comparison(physics: Comparison, own_links: int) -> list[Section]:
    text = (f"{physics.n_selected:,} modules with a cell above {physics.options.min_charge:g} CALQ, of "
            f"{physics.n_modules:,} from {physics.data}. Every algorithm ran through the bit-level emulator of "
            "the chip and its frame decoder on the same rows. Difference to best: mean EMD minus that of the best "
            "algorithm on the same modules, with its bootstrap error; below three errors it is called a tie.")
    budgets = physics.budgets
    own = own_links if own_links in budgets else budgets[-1]
    return [
        Section("Which algorithm", text, [_winners(physics)]),
        Section("Which algorithm for which module", "The scheme with the smallest mean EMD in each bin, and that EMD.",
                [_best_by_bin(physics, one) for one in physics.profiled]),
        Section("Bits vs. EMD", "Lower left is better. The line joins the schemes that no other one beats in both; "
                "dotted lines are link budgets.", plots=[Plot("pareto", figures.pareto(physics), "All schemes", True)]),
        Section("All metrics by links", "Mean and bootstrap error of every scheme, then profiles of the trained "
                "encoders and the best scheme of each other algorithm.",
                children=[Section(counted(n, "link"), children=_budget(physics, n), unfolded=n == own)
                          for n in budgets]),
        Section("Meaning of the metrics", "", [plain_table(["metric", "best", "meaning"], [
            [metric.title, metric.best_value, metric.meaning] for metric in physics.metrics.values()])]),
    ]


def _winners(physics: Comparison) -> Table:
    rows = []
    for found in map(physics.verdict, physics.budgets):
        encoder = found.encoder
        if encoder is None:
            rows.append([Cell(str(found.n_elinks), found.n_elinks), Cell("no AE compared"), *[Cell("-")] * 5])
            continue
        rows.append([
            Cell(str(found.n_elinks), found.n_elinks), Cell(found.winner.name), _mean(found.winner.emd),
            Cell(margin_text(found.others[0]) if found.others else "-"),
            Cell(encoder.name), _mean(encoder.emd), Cell("-") if encoder is found.winner else _difference(encoder),
        ])
    return Table(["links", "best", "EMD", "next algorithm", "best trained encoder", "AE EMD", "difference to best"],
                 rows, frozenset({0, 2, 5, 6}))


def _best_by_bin(physics: Comparison, coordinate: Coordinate) -> Table:
    rows = []
    for n_elinks in physics.budgets:
        row = [Cell(str(n_elinks) if n_elinks in physics.decided else f"{n_elinks}, no AE", n_elinks)]
        for number in range(len(coordinate.labels)):
            found = [(mean, scheme.name) for scheme in physics.schemes if scheme.n_elinks == n_elinks
                     if (mean := scheme.profile(coordinate).mean[number]) is not None]
            row.append(Cell(f"{min(found)[1]}: {min(found)[0]:.2f}") if found else Cell("-"))
        rows.append(row)
    return Table(["links", *coordinate.labels], rows, caption=f"By {coordinate.title}")


def _metrics_of(physics: Comparison, n_elinks: int) -> Table:
    titles = ["scheme", *(metric.title for metric in physics.metrics.values()), "energy resolution", "bits per BX",
              "share of links", "frames cut", "empty maps", "setting"]
    rows = [[
        Cell(row.name), *(_mean(row.metrics[name]) for name in physics.metrics), _sigma(row.energy_response),
        Cell(f"{row.bits:.1f}", row.bits), Cell(f"{row.link_occupancy:.1%}", row.link_occupancy),
        Cell(f"{row.cut_rate:.2%}", row.cut_rate), Cell(str(row.n_empty_output), row.n_empty_output), Cell(row.detail),
    ] for row in physics.table(n_elinks)]
    return Table(titles, rows, frozenset(range(1, len(titles) - 1)))


def _budget(physics: Comparison, n: int) -> list[Section]:
    """Metrics, profiles, distributions and displays of one budget."""
    profiles = [Plot(f"profile_{n}_links_{file_name(one.name)}", figures.profile(physics, n, one),
                     f"EMD vs. {one.title}") for one in physics.profiled]
    others = [Plot(f"profile_{n}_links_{file_name(one.name)}_{metric}", figures.profile(physics, n, one, metric),
                   f"{physics.metrics[metric].title} vs. {one.title}")
              for metric in ("energy_response", "occupancy_kept") for one in physics.profiled[:1]]
    sliced = figures.slices(physics, n)
    in_slices = [Plot(f"slices_{n}_links", sliced, "The same in slices of the module sum", wide=True)] if sliced else []
    distributions = [Plot(f"histogram_{n}_links_{name}", figures.histogram(physics, n, name), metric.title)
                     for name, metric in physics.metrics.items()]
    shown = []
    for number, one in enumerate(physics.displays_of(n)):
        where = f"{one.reason}, row {one.row}"
        shown.append(Plot(f"wafer_{n}_links_{number}", wafer_display(one), where))
        if one.latent is not None:
            shown.append(Plot(f"image_{n}_links_{number}", image_display(one),
                              f"The same module as the encoder sees it ({where})"))
    links = counted(n, "link")
    return [
        Section(f"{links}: every scheme", tables=[_metrics_of(physics, n)]),
        Section(f"{links}: profiles", plots=[*profiles, *others, *in_slices]),
        Section(f"{links}: modules on the wafer", "All charges of a module share one scale; open cells have none.",
                plots=shown),
        Section(f"{links}: distributions", "The legends give mean and sigma; the outermost bins include everything "
                "beyond them.", plots=distributions, unfolded=False),
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
    text = (f"{len(history.loss)} epochs; the one that was kept has {kept}. If the last epochs use another loss "
            "(training.final_loss), the scale of the loss changes there.")
    return Section("Learning curves", text,
                   plots=[Plot("learning_curves", learning_curves(history), "Loss and EMD by epoch", wide=True)])


def _bit_exactness(content: ReportContent) -> Section:
    rows = [[TITLES.get(name, name), row.stage, row.n_values, row.n_mismatches, row.n_events]
            for comparison in (content.bit_exactness, content.rtl) if comparison
            for name, result in comparison.backends.items() for row in result.stages]
    text = ("Integer codes of the emulator vs. those of the compiled C++ and of the simulated RTL." if rows
            else content.older.bit_exactness or "Not run: make compare")
    titles = ["implementation", "stage", "values", "mismatches", "events with mismatch"]
    sets = [[one.name, one.algorithm, one.n_elinks, one.n_frames, one.n_exact, one.status, one.reason]
            for one in content.vectors.sets] if content.vectors else []
    published = plain_table(["set of published test vectors", "algorithm", "links", "frames", "exact", "result",
                             "reason"], sets, frozenset({2, 3, 4}))
    return Section("Bit-exactness", text, [plain_table(titles, rows, frozenset({2, 3, 4}))] if rows else [],
                   children=[Section("Published test vectors", tables=[published], unfolded=False)] if sets else [])


def _value(value: str | float | int | None) -> Cell:
    return Cell("-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value), value)


def _difference(scheme: SchemeResult) -> Cell:
    return Cell(difference_text(scheme), scheme.margin.difference if scheme.margin else None)


def _mean(distribution: Distribution) -> Cell:
    return Cell(with_error(distribution), distribution.mean)


def _sigma(distribution: Distribution) -> Cell:
    return Cell("-" if distribution.sigma is None else f"{distribution.sigma:.3f}", distribution.sigma)
