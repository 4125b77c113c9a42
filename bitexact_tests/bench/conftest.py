"""One line per benchmark after the table: events per second, which the table of times does not show."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    session = getattr(config, "_benchmarksession", None)
    rows = [bench for bench in (session.benchmarks if session else []) if "events_per_s" in bench.extra_info]
    if not rows:
        return
    terminalreporter.section("events per second (median)")
    best: dict[str, float] = {}
    for bench in rows:
        best[bench.group] = max(best.get(bench.group, 0), bench.extra_info["events_per_s"])
    for bench in rows:
        rate = bench.extra_info["events_per_s"]
        share = rate / best[bench.group]
        terminalreporter.write_line(f"{bench.group:24} {bench.name:44} {rate:12,.0f}  {share:6.3f} of best")
