"""Verdict of a report: in one line for a terminal, and as the lines at the top of the page."""

from __future__ import annotations

from models.bit_comparison import TITLES, BitComparison
from models.wording import counted
from training.physics.wording import verdict_line, verdict_lines
from training.report.hardware_section import answer
from training.report.parts import Line
from training.report.trigger_section import verdict as trigger_verdict
from training.results.report import ReportContent


def headline(content: ReportContent) -> str:
    """State in one line which algorithm has the smallest EMD on each budget, and whether all bits are equal."""
    best = verdict_line(content.physics) if content.physics else "The algorithms were not compared"
    found = {name: one.equal for part in (content.bit_exactness, content.rtl) if part
             for name, one in part.backends.items()}
    different = [name for name, equal in found.items() if not equal]
    if different:
        return f"{best}; emulator and {', '.join(different)} DIFFER."
    return f"{best}; " + (f"emulator = {' = '.join(found)} in every bit." if found
                          else "bits were not compared.")


def verdict(content: ReportContent) -> list[Line]:
    """Verdict at the top of the page: which algorithm has the smallest EMD, and whether all bits are equal.

    What is wrong stands first.
    """
    older, by, metrics = content.older, content.commands, content.metrics
    lines = [Line("", text) for text in verdict_lines(content.physics)] if content.physics else [
        Line("soft", older.physics or f"The algorithms were not compared (seconds): {by.physics}")]
    absent = f"Emulator and HLS C++ were not compared (seconds): {by.bit_exactness}"
    lines += [*_equal(content.bit_exactness, older.bit_exactness or absent),
              *_equal(content.rtl, older.rtl or f"Emulator and RTL were not compared (minutes): {by.rtl}"),
              _vectors(content)]
    if metrics and metrics.emd_mean is not None:
        lines.append(Line("", f"Mean EMD {metrics.emd_mean:.3f}, median {metrics.emd_median:.3f} of this encoder "
                              f"on {metrics.n_selected:,} of the {metrics.n_modules:,} modules that were evaluated."))
        lines += [Line("bad", text) for text in metrics.remarks]
    elif older.metrics:
        lines.append(Line("soft", older.metrics))
    told = {line.text for line in lines}
    lines += [Line("bad", text) for text in (content.physics.remarks if content.physics else ()) if text not in told]
    if content.trigger:
        lines += [Line("", text) for text in trigger_verdict(content.trigger)]
    elif older.trigger:
        lines.append(Line("soft", older.trigger))
    taken = answer(content.hardware)
    lines.append(Line("", taken[0]) if taken else Line("soft", "Size and latency were not estimated "
                                                               f"(seconds): {by.size}"))
    return sorted(lines, key=lambda line: line.kind != "bad")


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
        return Line("soft", "Emulator and published test vectors were not compared (seconds; VECTORS: their folders): "
                            f"{content.commands.vectors}")
    when = "" if found.made.commit == content.made.commit else f" (commit {found.made.commit or 'unknown'})"
    return Line("good" if found.fine else "bad",
                f"Emulator {'=' if found.fine else 'and'} published test vectors{when}: {found}.")
