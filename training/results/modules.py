"""Results about samples of modules: how charges are distributed, and which modules were split or encoded how."""

from __future__ import annotations

from models.result import Result, Rounded


class SampleDistribution(Result):
    """A quantity of the modules of one sample, of `econ-t data generate` and `data validate`."""

    quantity: str
    """What is counted in each module: cells hit, module sum [CALQ] or largest cell [CALQ]."""
    sample: str
    mean: Rounded
    p5: Rounded
    """Percentile, and so on."""
    p25: Rounded
    p50: Rounded
    p75: Rounded
    p95: Rounded


class EncodedModules(Result):
    """Modules of one number of links, or left out, of `econ-t encode --per-module`."""

    modules_with: str
    """`links 5`, or `left_out` (fewer links than any weights are for), or `not_found` (not in the list)."""
    modules: int
    weights: str | None
    """File of the weights."""
