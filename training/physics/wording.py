"""A comparison in words: the best scheme of a budget, the next ones, and the differences."""

from __future__ import annotations

from collections.abc import Sequence

from models.wording import counted
from training.results.comparison import Comparison, Distribution, SchemeResult, Verdict


def with_error(distribution: Distribution) -> str:
    """Format mean and error of a metric; - if it has none."""
    if distribution.mean is None:
        return "-"
    return f"{distribution.mean:.3f}" + ("" if distribution.error is None else f" ± {distribution.error:.3f}")


def verdict_lines(comparison: Comparison) -> list[str]:
    """State what was found on each budget with an autoencoder, then name the budgets without one."""
    lines = [verdict_text(comparison.verdict(n)) + "." for n in comparison.decided]
    return lines + ([undecided_text(comparison.undecided)] if comparison.undecided else [])


def verdict_line(comparison: Comparison) -> str:
    """Name, in one line, the algorithm with the smallest EMD on each budget with an autoencoder, and those that tie."""
    winners: dict[str, list[int]] = {}
    for verdict in map(comparison.verdict, comparison.decided):
        tied = [one for one in verdict.others if one.margin and one.margin.tie]
        names = [algorithm_text(one) for one in (verdict.winner, *tied)]
        winners.setdefault(" or ".join(names) + " (a tie)" * bool(tied), []).append(verdict.n_elinks)
    if not winners:
        return "No autoencoder was compared, so there is no verdict"
    return "Smallest EMD: " + ", ".join(f"{name} on {budgets_text(on)}" for name, on in winners.items())


def algorithm_text(scheme: SchemeResult) -> str:
    """Name the algorithm of a scheme; an encoder that comes with the project is a `shipped AE`."""
    return ("shipped " if scheme.is_shipped else "") + scheme.algorithm


def budgets_text(n_elinks: Sequence[int]) -> str:
    """`1 link`, `2 and 3 links`, `2, 3 and 5 links`."""
    *most, last = n_elinks
    return f"{', '.join(map(str, most))} and {last} links" if most else counted(last, "link")


def undecided_text(n_elinks: Sequence[int]) -> str:
    """State that no autoencoder was compared on these budgets, and which commands compare one."""
    return (f"{budgets_text(n_elinks)}: no autoencoder was compared, so there is no verdict. Train one (econ-t train "
            f"--config econ_t_{n_elinks[0]}elink --output runs/econ_t_{n_elinks[0]}elink), then compare again with its "
            "--run.")


def verdict_text(verdict: Verdict) -> str:
    """Name the best scheme of a budget, the next algorithm, the best encoder and the best one that was trained here."""
    winner, others = verdict.winner, verdict.others[:1]
    text = f"{counted(verdict.n_elinks, 'link')}: {winner.name} has the smallest EMD, {with_error(winner.emd)}"
    for one in others:
        text += f"; the next algorithm is {margin_text(one)}"
    encoders = {one.name: one for one in (verdict.encoder, verdict.own_encoder) if one}
    told = {one.name for one in (winner, *others)}
    return text + "".join(f"; {margin_text(one)}" for name, one in encoders.items() if name not in told)


def margin_text(scheme: SchemeResult) -> str:
    """Name a scheme and its difference to the best one."""
    return f"{scheme.name}, larger by {difference_text(scheme)}" + (
        " (a tie)" if scheme.margin and scheme.margin.tie else "")


def difference_text(scheme: SchemeResult) -> str:
    """Format the difference of the EMD to that of the best scheme, with its error."""
    return f"{scheme.margin.difference:.3f} ± {scheme.margin.error or 0:.3f}" if scheme.margin else "-"
