"""A comparison in words: who wins a budget, before whom and by how much."""

from __future__ import annotations

from training.results.comparison import Distribution, SchemeResult, Verdict


def with_error(distribution: Distribution) -> str:
    """Mean and error of a metric as text; - if it has none."""
    if distribution.mean is None:
        return "-"
    return f"{distribution.mean:.3f}" + ("" if distribution.error is None else f" ± {distribution.error:.3f}")


def verdict_text(verdict: Verdict) -> str:
    """Who wins a budget, before whom and by how much."""
    winner = verdict.winner
    text = f"{verdict.n_elinks} links: {winner.name} has the smallest EMD, {with_error(winner.emd)}"
    for one in verdict.others[:1]:
        text += f"; the next algorithm is {margin_text(one)}"
    return text + "".join(f"; {margin_text(one)}" for one in verdict.others[1:] if one.algorithm == "AE")


def margin_text(scheme: SchemeResult) -> str:
    """How far a scheme is behind the best one."""
    return f"{scheme.name}, {difference_text(scheme)} behind" + (
        ", which is a tie" if scheme.margin and scheme.margin.tie else "")


def difference_text(scheme: SchemeResult) -> str:
    """Difference of the EMD to the best scheme, with its error."""
    return f"{scheme.margin.difference:.3f} ± {scheme.margin.error or 0:.3f}" if scheme.margin else "-"
