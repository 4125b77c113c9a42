"""A comparison in words: who wins a budget, before whom and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


def with_error(figure: Mapping[str, Any]) -> str:
    """Mean and error of a metric as text; - if it has none."""
    if figure["mean"] is None:
        return "-"
    return f"{figure['mean']:.3f}" + ("" if figure["error"] is None else f" ± {figure['error']:.3f}")


def verdict_text(result: Mapping[str, Any], verdict: Mapping[str, Any]) -> str:
    """Who wins a budget, before whom and by how much."""
    winner = result["schemes"][verdict["winner"]]
    text = f"{verdict['n_elinks']} links: {winner['name']} has the smallest EMD, {with_error(winner['metrics']['emd'])}"
    for margin in verdict["others"][:1]:
        text += f"; the next algorithm is {margin_text(result, margin)}"
    encoders = [margin for margin in verdict["others"][1:] if result["schemes"][margin["scheme"]]["algorithm"] == "AE"]
    return text + "".join(f"; {margin_text(result, margin)}" for margin in encoders)


def margin_text(result: Mapping[str, Any], margin: Mapping[str, Any]) -> str:
    """How far a scheme is behind the best one."""
    name = result["schemes"][margin["scheme"]]["name"]
    behind = f"{margin['behind']:.3f} ± {margin['error'] or 0:.3f} behind"
    return f"{name}, {behind}" + (", which is a tie" if margin["tie"] else "")
