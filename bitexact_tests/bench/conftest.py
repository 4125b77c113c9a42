"""Below the table of times, what it does not show: events per second, and ratios of two programs run in turn."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    session = getattr(config, "_benchmarksession", None)
    benchmarks = session.benchmarks if session else []
    rates = [bench for bench in benchmarks if "events_per_s" in bench.extra_info]
    ratios = [bench for bench in benchmarks if "ratio_quartiles" in bench.extra_info]
    if rates:
        _show_rates(terminalreporter, rates)
    if ratios:
        _show_ratios(terminalreporter, ratios)


def _show_rates(terminalreporter: Any, rows: list[Any]) -> None:
    terminalreporter.section("events per second (median)")
    best: dict[str, float] = {}
    for bench in rows:
        best[bench.group] = max(best.get(bench.group, 0), bench.extra_info["events_per_s"])
    for bench in rows:
        rate = bench.extra_info["events_per_s"]
        share = rate / best[bench.group]
        limit = bench.extra_info.get("of_limit")
        flops = bench.extra_info.get("limit_flops", 0) / 1e9
        of_limit = "" if limit is None else f"  {limit:6.3f} of {flops:,.0f} GFLOP per CPU second in matrix products"
        terminalreporter.write_line(f"{bench.group:24} {bench.name:44} {rate:12,.0f}  {share:6.3f} of best{of_limit}")


def _show_ratios(terminalreporter: Any, rows: list[Any]) -> None:
    terminalreporter.section("CPU time, theirs / ours: median (quartiles); events per CPU second, theirs and ours")
    for bench in rows:
        low, median, high = bench.extra_info["ratio_quartiles"]
        theirs, ours = (bench.extra_info["events_per_cpu_s"][side] for side in ("theirs", "ours"))
        terminalreporter.write_line(
            f"{bench.name:48} {median:8.2f} ({low:.2f} to {high:.2f})  {theirs:11,.0f} {ours:11,.0f}")
