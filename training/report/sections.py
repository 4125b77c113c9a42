"""What the report says: sections with text, tables and figures, out of what `training.report.page` gathers."""

from __future__ import annotations

from dataclasses import dataclass

from training.figures import comparison as figures
from training.figures.training import kernels, learning_curves, weight_histograms
from training.figures.wafer import image_display, wafer_display
from training.physics.wording import margin_text, verdict_text, with_error
from training.report.hardware_section import hardware_section
from training.report.parts import Cell, Content, Plot, Section, Table, file_name, plain_table


@dataclass(frozen=True)
class Line:
    """One line of the verdict; kind is good, bad, soft or nothing."""

    kind: str
    text: str


def verdict(content: Content) -> list[Line]:
    """The first thing to read: are all bits equal, and which algorithm keeps most of a module?"""
    lines = []
    exact, older = content["bit_exactness"], content["older"]
    for backend, result in exact.get("backends", {}).items():
        if result["equal"]:
            lines.append(Line("good", f"Emulator = HLS C++ ({backend}): every bit of every stage of "
                                      f"{exact['n_events']:,} events."))
        else:
            lines.append(Line("bad", f"Emulator and HLS C++ ({backend}) differ: {result['first_mismatch']}"))
    if not exact:
        lines.append(Line("soft", older.get("bit_exactness", "Emulator and HLS not compared: run make compare.")))
    metrics = content["metrics"]
    if metrics.get("emd_mean") is not None:
        lines.append(Line("", f"Mean EMD {metrics['emd_mean']:.3f}, median {metrics['emd_median']:.3f} of this encoder "
                              f"on {metrics['n_selected']:,} of {metrics['n_modules']:,} held-out modules."))
    elif "metrics" in older:
        lines.append(Line("soft", older["metrics"]))
    physics = content["physics"]
    if physics:
        lines += [Line("", verdict_text(physics, one) + ".") for one in physics["verdict"]]
    else:
        lines.append(Line("soft", older.get("physics", "Algorithms not compared: run make physics.")))
    return lines


def sections(content: Content) -> list[Section]:
    """The whole page below its verdict."""
    older = content["older"]
    return [
        *(_comparison(content["physics"], content["config"]["n_elinks"]) if content["physics"] else []),
        _evaluation(content["metrics"], older.get("metrics", "Not run: make evaluate.")),
        _learning(content["history"]),
        Section("Weights", "How often each code occurs; at the ends of the range training met the limit of six bits.",
                plots=[Plot("weights", weight_histograms(content["weights"]), "Codes of each array", wide=True),
                       Plot("kernels", kernels(content["weights"]["conv_kernel"]["codes"],
                                               content["config"]["n_filters"]), "Convolution kernels", wide=True)]),
        _bit_exactness(content["bit_exactness"], older.get("bit_exactness", "Not run: make compare.")),
        hardware_section(content["hardware"]),
        Section("Number formats", "As in the configuration: sign, integer bits (with sign), fractional bits.",
                [plain_table(["what", "format"], [list(item) for item in content["formats"].items()])]),
    ]


def _comparison(physics: Content, own_links: int) -> list[Section]:
    text = (f"{physics['n_selected']:,} modules with a cell above {physics['options']['min_charge']:g} CALQ, of "
            f"{physics['n_modules']:,} of {physics['data']}. Every algorithm ran through the bit-level emulator of "
            "the chip and its frame decoder on the same rows. Behind: mean EMD minus that of the best algorithm on the "
            "same modules, with its bootstrap error; below three errors it is called a tie.")
    budgets = [one["n_elinks"] for one in physics["verdict"]]
    own = own_links if own_links in budgets else budgets[-1]
    return [
        Section("Which algorithm", text, [_winners(physics)]),
        Section("Which algorithm for which module", "The scheme with the smallest mean EMD in each bin, and that EMD.",
                [_best_by_bin(physics, one) for one in physics["coordinates"]
                 if not one["name"].startswith("occupancy, ")]),
        Section("Bits against EMD", "Lower left is better. The line joins the schemes that no other one beats in both; "
                "dotted lines are link budgets.", plots=[Plot("pareto", figures.pareto(physics), "All schemes", True)]),
        Section("All figures by links", "Mean and bootstrap error of every scheme; then the AE sets and the best "
                "scheme of each other algorithm.",
                children=[Section(f"{n} links", children=_budget(physics, n), unfolded=n == own) for n in budgets]),
        Section("What the figures mean", "", [plain_table(["figure", "best", "meaning"], [
            [about["title"], {"one": "1", "zero": "0"}.get(about["best"], about["best"]), about["meaning"]]
            for about in physics["metrics"].values()])]),
    ]


def _winners(physics: Content) -> Table:
    rows = []
    for one in physics["verdict"]:
        best = physics["schemes"][one["winner"]]
        margins = {margin["scheme"]: margin for margin in one["others"]}
        encoder = next((i for i in [one["winner"], *margins] if physics["schemes"][i]["algorithm"] == "AE"), None)
        rows.append([
            Cell(str(one["n_elinks"]), one["n_elinks"]), Cell(best["name"]), _mean(best["metrics"]["emd"]),
            Cell(margin_text(physics, one["others"][0]) if margins else "-"),
            Cell("no AE set" if encoder is None else physics["schemes"][encoder]["name"]),
            Cell("-") if encoder is None else _mean(physics["schemes"][encoder]["metrics"]["emd"]),
            Cell("-") if encoder not in margins else _behind(margins[encoder]),
        ])
    return Table(["links", "best", "EMD", "next algorithm", "best AE set", "its EMD", "behind"], rows,
                 frozenset({0, 2, 5, 6}))


def _best_by_bin(physics: Content, coordinate: Content) -> Table:
    rows = []
    for n_elinks in (one["n_elinks"] for one in physics["verdict"]):
        row = [Cell(str(n_elinks), n_elinks)]
        for number in range(len(coordinate["labels"])):
            found = [(mean, scheme["name"]) for scheme in physics["schemes"] if scheme["n_elinks"] == n_elinks
                     if (mean := scheme["profiles"][coordinate["name"]]["emd"]["mean"][number]) is not None]
            row.append(Cell(f"{min(found)[1]}: {min(found)[0]:.2f}") if found else Cell("-"))
        rows.append(row)
    return Table(["links", *coordinate["labels"]], rows, caption=f"By {coordinate['title']}")


def _figures_of(physics: Content, n_elinks: int) -> Table:
    names = list(physics["metrics"])
    titles = ["scheme", *(physics["metrics"][name]["title"] for name in names), "energy resolution", "bits per BX",
              "of the links", "frames cut", "empty maps", "setting"]
    rows = []
    for row in sorted((row for row in physics["schemes"] if row["n_elinks"] == n_elinks),
                      key=lambda row: row["metrics"]["emd"]["mean"]):
        sigma = row["metrics"]["energy_response"]["sigma"]
        rows.append([
            Cell(row["name"]), *(_mean(row["metrics"][name]) for name in names), Cell(f"{sigma:.3f}", sigma),
            Cell(f"{row['bits']:.1f}", row["bits"]), Cell(f"{row['link_occupancy']:.1%}", row["link_occupancy"]),
            Cell(f"{row['cut_rate']:.2%}", row["cut_rate"]), Cell(str(row["n_empty_output"]), row["n_empty_output"]),
            Cell(row["detail"]),
        ])
    return Table(titles, rows, frozenset(range(1, len(titles) - 1)))


def _budget(physics: Content, n: int) -> list[Section]:
    """Figures, profiles, distributions and displays of one budget."""
    profiles = [Plot(f"profile_{n}_links_{file_name(one['name'])}", figures.profile(physics, n, one),
                     f"EMD against {one['title']}")
                for one in physics["coordinates"] if not one["name"].startswith("occupancy, ")]
    others = [Plot(f"profile_{n}_links_occupancy_{metric}",
                   figures.profile(physics, n, physics["coordinates"][0], metric),
                   f"{physics['metrics'][metric]['title']} against {physics['coordinates'][0]['title']}")
              for metric in ("energy_response", "occupancy_kept") if physics["coordinates"]]
    sliced = figures.slices(physics, n)
    in_slices = [Plot(f"slices_{n}_links", sliced, "The same in slices of the module sum", wide=True)] if sliced else []
    distributions = [Plot(f"histogram_{n}_links_{metric}", figures.histogram(physics, n, metric), about["title"])
                     for metric, about in physics["metrics"].items()]
    shown = []
    for number, one in enumerate(one for one in physics["displays"] if one["n_elinks"] == n):
        where = f"{one['reason']}, row {one['row']}"
        shown.append(Plot(f"wafer_{n}_links_{number}", wafer_display(one, physics["schemes"]), where))
        if one["latent"] is not None:
            shown.append(Plot(f"image_{n}_links_{number}", image_display(one, physics["schemes"]),
                              f"The same module as the encoder sees it ({where})"))
    return [
        Section(f"{n} links: every scheme", tables=[_figures_of(physics, n)]),
        Section(f"{n} links: profiles", plots=[*profiles, *others, *in_slices]),
        Section(f"{n} links: modules on the wafer", "Charges of one module share a scale; open cells carry none.",
                plots=shown),
        Section(f"{n} links: distributions", "Mean and sigma in the legends; outermost bins hold what lies outside.",
                plots=distributions, unfolded=False),
    ]


def _evaluation(metrics: Content, absent: str) -> Section:
    from training.physics.evaluation import MEANINGS

    if not metrics:
        return Section("This encoder", absent)
    rows = [[Cell(name), Cell("-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value),
                              value), Cell(MEANINGS.get(name, ""))] for name, value in metrics.items()]
    return Section("This encoder", "Physics performance of the weights of this run, from the emulator's integers.",
                   [Table(["figure", "value", "meaning"], rows, frozenset({1}))])


def _learning(history: Content) -> Section:
    kept = (f"validation EMD {min(history['val_emd']):.3f}" if history.get("val_emd")
            else f"validation loss {min(history['val_loss']):.4g}")
    text = (f"{len(history['loss'])} epochs; the one that was kept has {kept}. Where the last epochs use another loss "
            "(training.final_loss), the loss has another scale from there on.")
    return Section("Learning curves", text,
                   plots=[Plot("learning_curves", learning_curves(history), "Loss and EMD by epoch", wide=True)])


def _bit_exactness(comparison: Content, absent: str) -> Section:
    rows = [[backend, stage["stage"], stage["n_values"], stage["n_mismatches"], stage["n_events"]]
            for backend, result in comparison.get("backends", {}).items() for stage in result["stages"]]
    text = "Integer codes of the emulator against those of the compiled C++." if rows else absent
    titles = ["backend", "stage", "values", "mismatches", "events with mismatch"]
    return Section("Bit-exactness", text, [plain_table(titles, rows, frozenset({2, 3, 4}))] if rows else [])


def _behind(margin: Content) -> Cell:
    return Cell(f"{margin['behind']:.3f} ± {margin['error'] or 0:.3f}", margin["behind"])


def _mean(figure: Content) -> Cell:
    return Cell(with_error(figure), figure["mean"])
