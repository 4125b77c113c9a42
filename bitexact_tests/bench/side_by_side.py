"""Two programs that do the same work, in turn: what else the machine does falls on both alike."""

from __future__ import annotations

from collections.abc import Callable
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

ROUNDS = 7


def cpu_seconds() -> float:
    """CPU time so far of this process and of the finished programs it started; csim is such a program."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))


def side_by_side(
    benchmark: Any, ours: Callable[[], Any], theirs: Callable[[], Any], n_events: int
) -> tuple[Any, Any]:
    """Run theirs, then ours, ROUNDS times after a round that does not count; return what each found, ours first.

    Both do the same `n_events`. The benchmark's own statistics are those of ours; `extra_info` gets the quartiles of
    the ratio theirs / ours of the CPU time of each round, and the median events per CPU second of both.
    """
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    found: dict[str, Any] = {}

    def run(side: str, function: Callable[[], Any]) -> None:
        start = cpu_seconds()
        found[side] = function()
        seconds[side].append(cpu_seconds() - start)

    with threadpool_limits(1):  # threads that wait for work in a loop would count as work
        benchmark.pedantic(run, ("ours", ours), setup=lambda: run("theirs", theirs), rounds=ROUNDS, warmup_rounds=1)
    if benchmark.enabled:
        ours_s, theirs_s = np.array(seconds["ours"][1:]), np.array(seconds["theirs"][1:])
        benchmark.extra_info["ratio_quartiles"] = np.percentile(theirs_s / ours_s, [25, 50, 75]).tolist()
        benchmark.extra_info["events_per_cpu_s"] = {
            "theirs": n_events / np.median(theirs_s), "ours": n_events / np.median(ours_s)}
    return found["ours"], found["theirs"]
