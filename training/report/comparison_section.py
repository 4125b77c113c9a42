"""Sections of the report that compare algorithms: which one wins where, all metrics, and interactive plots."""

from __future__ import annotations

from models.wording import counted
from training.physics.wording import algorithm_text, difference_text, margin_text, with_error
from training.report.parts import Cell, Section, Table, plain_table
from training.results.comparison import Comparison, Coordinate, Distribution, SchemeResult

SENT = {
    "AE": "autoencoder: 16 latents of a neural encoder, which a network decodes",
    "BC": "best choice: the largest cells, as many as fit",
    "STC": "super trigger cell: sums of 4 or 16 cells, with the place of the largest cell (CTC: without)",
    "TS": "threshold sum: every cell above a threshold",
    "RPT": "repeater: all 48 cells, in few bits each",
}
"""What each algorithm of the chip sends, in words."""
WHY = ("energy_response", "largest_cell", "occupancy_kept", "centroid")
"""Metrics that tell why a scheme has its EMD."""
_WHY = ("BC and TS send single cells as they are and lose those for which there is no room; AE and STC describe all "
        "cells, with less detail. The first row of each number of links is the best algorithm. Means over the modules "
        "of received over true charge (energy), the error of the largest cell (largest), the fraction of the cells "
        "that is kept (occup.) and the error of the centre (centroid).")


def comparison_sections(physics: Comparison) -> list[Section]:
    """All sections of a comparison."""
    text = (f"{physics.n_selected:,} modules with a cell above {physics.options.min_charge:g} CALQ, of "
            f"{physics.n_modules:,} from {physics.data}. Every algorithm ran through the bit-level emulator of "
            "the chip and its frame decoder on the same rows. EMD, the earth mover's distance, is how far charge must "
            "be moved to turn the map received into the true one, in sensor-cell pitches: less is better. Difference "
            "to best: mean EMD minus that of the best algorithm on the same modules, with its bootstrap error; below "
            "three errors it is called a tie.")
    sample = physics.sample
    return [
        Section("Which algorithm", text, [_winners(physics), _meanings(physics)]),
        *_reasons(physics),
        Section("Which algorithm for which module", "The scheme with the smallest mean EMD in each bin, and that EMD.",
                [_best_by_bin(physics, one) for one in physics.profiled]),
        Section("Bits vs. EMD", "Lower left is better, whichever metric is chosen, except for the cross-correlation, "
                "whose best value is 1. Dotted lines are link budgets.", explorer="pareto"),
        Section("Modules on the wafer",
                f"{len(sample.rows)} of the modules: the worst and the typical ones of each algorithm, and others "
                "spread over every coordinate. All charges of a module share one scale, and so do all differences."
                if sample else "physics.json was made by an earlier version, which kept no modules: compare again",
                explorer="modules" if sample else ""),
        Section("Profiles", "How each algorithm depends on the module: this is where the ranking changes.",
                explorer="profiles"),
        Section("Distributions", "Fraction of the modules in each bin of a metric.", explorer="distributions"),
        Section("All metrics by links", "Mean and bootstrap error of every scheme, the smallest EMD first.",
                children=[Section(counted(n, "link"), tables=[_metrics_of(physics, n), _rates_of(physics, n)])
                          for n in physics.budgets]),
        Section("Meaning of the metrics", "", [plain_table(["metric", "best", "meaning"], [
            [metric.title, metric.best_value, metric.meaning] for metric in physics.metrics.values()])]),
    ]


def _winners(physics: Comparison) -> Table:
    rest = ["EMD", "next algorithm", "best trained encoder", "AE EMD"]
    # Beside shipped sets, what was trained here stands in a column of its own.
    rest += ["best own encoder"] * any(one.is_shipped for one in physics.schemes)
    rows = []
    for found in map(physics.verdict, physics.budgets):
        encoder = found.encoder
        if encoder is None:
            rows.append([Cell(str(found.n_elinks), found.n_elinks), Cell("no AE compared"), *[Cell("-")] * len(rest)])
            continue
        rows.append([
            Cell(str(found.n_elinks), found.n_elinks), Cell(found.winner.name), mean_cell(found.winner.emd),
            Cell(margin_text(found.others[0]) if found.others else "-"),
            _encoder(encoder), mean_cell(encoder.emd), _encoder(found.own_encoder)][: 2 + len(rest)])
    return Table(["links", "best", *rest], rows, frozenset({0, 2, 5}), stacks=True)


def _encoder(found: SchemeResult | None) -> Cell:
    """Its name, and its difference if another scheme is the best."""
    best = found is not None and not (found.margin and found.margin.difference)
    return Cell("-" if found is None else found.name if best else margin_text(found))


def _reasons(physics: Comparison) -> list[Section]:
    """What the receiver has of a module: by the best scheme of each budget, the next algorithm and the best AE."""
    rows, known = [], [name for name in WHY if name in physics.metrics]
    for n_elinks in physics.decided:
        found = physics.verdict(n_elinks)
        for one in dict.fromkeys((found.winner.name, *(other.name for other in found.others[:1]),
                                  *([found.encoder.name] if found.encoder else []))):
            scheme = physics.scheme(one, n_elinks)
            means = [scheme.metrics[name].mean for name in known]
            rows.append([Cell(str(n_elinks), n_elinks), Cell(one), *(
                Cell("-" if mean is None else f"{mean:.2f}", mean) for mean in means)])
    titles = ["links", "scheme", *(physics.metrics[name].short for name in known)]
    table = Table(titles, rows, frozenset({0, *range(2, len(titles))}))
    return [Section("Why this algorithm", _WHY, [table])] if rows else []


def _meanings(physics: Comparison) -> Table:
    compared = {one.algorithm for one in physics.schemes}
    rows = [[Cell(name), Cell(sent)] for name, sent in SENT.items() if name in compared]
    return Table(["algorithm", "what it sends"], rows, caption="The algorithms")


def _short(physics: Comparison, scheme: SchemeResult) -> str:
    """The name of a scheme, or AE, or shipped AE, where there is one of them for its links: columns are narrow."""
    encoders = [one for one in physics.schemes if (one.algorithm, one.n_elinks) == ("AE", scheme.n_elinks)]
    if scheme not in encoders:
        return scheme.name
    alike = [one for one in encoders if algorithm_text(one) == algorithm_text(scheme)]
    return "AE" if len(encoders) == 1 else algorithm_text(scheme) if len(alike) == 1 else scheme.name


def _best_by_bin(physics: Comparison, coordinate: Coordinate) -> Table:
    rows = []
    for n_elinks in physics.budgets:
        row = [Cell(str(n_elinks) if n_elinks in physics.decided else f"{n_elinks}, no AE", n_elinks)]
        for number in range(len(coordinate.labels)):
            found = [(mean, _short(physics, scheme)) for scheme in physics.schemes if scheme.n_elinks == n_elinks
                     if (mean := scheme.profile(coordinate).mean[number]) is not None]
            row.append(Cell(f"{min(found)[1]}: {min(found)[0]:.2f}") if found else Cell("-"))
        rows.append(row)
    return Table(["links", *coordinate.labels], rows, caption=f"By {coordinate.title}", stacks=True)


def _metrics_of(physics: Comparison, n_elinks: int) -> Table:
    titles = ["scheme", *(metric.title for metric in physics.metrics.values()), "energy resolution"]
    rows = [[Cell(row.name), *(mean_cell(row.metrics[name]) for name in physics.metrics),
             sigma_cell(row.energy_response)] for row in physics.table(n_elinks)]
    return Table(titles, rows, frozenset(range(1, len(titles))), f"Metrics on {counted(n_elinks, 'link')}")


def _rates_of(physics: Comparison, n_elinks: int) -> Table:
    rows = [[
        Cell(row.name), Cell(f"{row.bits:.1f}", row.bits), Cell(f"{row.link_occupancy:.1%}", row.link_occupancy),
        Cell(f"{row.cut_rate:.2%}", row.cut_rate), Cell(str(row.n_empty_output), row.n_empty_output), Cell(row.detail),
    ] for row in physics.table(n_elinks)]
    return Table(["scheme", "bits per BX", "share of links", "frames cut", "empty maps", "setting"], rows,
                 frozenset({1, 2, 3, 4}), f"Use of {counted(n_elinks, 'link')}")


def difference_cell(scheme: SchemeResult) -> Cell:
    """Difference of the EMD to that of the best scheme."""
    margin = scheme.margin
    return Cell(difference_text(scheme), margin.difference, margin.error) if margin else Cell("-")


def mean_cell(distribution: Distribution) -> Cell:
    """Mean of a metric with its error."""
    return Cell(with_error(distribution), distribution.mean, distribution.error)


def sigma_cell(distribution: Distribution) -> Cell:
    """Width of a distribution."""
    return Cell("-" if distribution.sigma is None else f"{distribution.sigma:.3f}", distribution.sigma)
