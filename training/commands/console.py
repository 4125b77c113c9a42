"""Terminal output of the commands: progress and remarks on stderr, results on the console of `result_console`."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from models.config import Config
from models.console import Column, console_for, result_console, show_table, write_csv
from models.result import Result, ResultList
from models.wording import counted
from training.results.audit import Way
from training.results.card import TITLES, Sample
from training.results.evaluation import Evaluation
from training.results.latents import LatentStatistics
from training.results.modules import SampleDistribution
from training.results.run import Epoch, RunSummary
from training.results.start import WarmStart

STDERR = console_for(stderr=True)
"""Where progress, remarks and logs go."""
_NUMBER = re.compile(r"[-+]?[\d,.]+(e[-+]\d+)?%?|-|yes|no")


class _Lines(logging.Handler):
    """Shows the messages of a log, one below another."""

    def emit(self, record: logging.LogRecord) -> None:
        STDERR.print(self.format(record))


def log_to_console() -> None:
    """Show the log of this project, and only warnings of other libraries."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[_Lines()])
    logging.getLogger("training").setLevel(logging.INFO)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # a study of many trainings traces many functions


_WIDE = 110  # columns from which a training shows a bar, its loss and the time it took


class TrainingProgress:
    """Progress bar over the epochs, or about ten lines if stderr is not a terminal."""

    def __init__(self, config: Config, title: str = "") -> None:
        self._name, self._total = title or config.name, config.training.epochs
        self._wide = STDERR.width >= _WIDE
        bar, elapsed = ([BarColumn()], [TimeElapsedColumn()]) if self._wide else ([], [])
        self._progress = Progress(
            TextColumn("{task.description}"), *bar, MofNCompleteColumn(), TextColumn("{task.fields[metrics]}"),
            *elapsed, TimeRemainingColumn(), console=STDERR)
        self._task = self._progress.add_task(self._name, total=self._total, metrics="starting")

    def __enter__(self) -> TrainingProgress:
        if STDERR.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if STDERR.is_terminal:
            self._progress.stop()

    def stage(self, number: int, n_stages: int, config: Config) -> None:
        """Begin a stage of a chain."""
        if n_stages > 1:
            self._name, self._total = f"{config.name}, stage {number} of {n_stages}", config.training.epochs
            self._progress.reset(self._task, description=self._name, total=self._total, metrics="starting")

    def epoch(self, epoch: int, metrics: Epoch) -> None:
        """Show the metrics of a finished epoch."""
        short = f"validation {metrics.val_loss:.4g}  EMD {metrics.val_emd:.3f}"
        text = f"loss {metrics.loss:.4g}  {short}"
        self._progress.update(self._task, completed=epoch, metrics=text if self._wide else short)
        total = self._total
        if not STDERR.is_terminal and (epoch in (1, total) or epoch % max(total // 10, 1) == 0):
            STDERR.print(f"{self._name}: epoch {epoch} of {total}: {text}")


def show_training(config: Config, output: Path, summary: RunSummary) -> None:
    """Show one line about a finished run."""
    result_console().print(
        f"{config.name}: {counted(summary.epochs, 'epoch')} on {summary.n_train} modules, best epoch "
        f"{summary.best_epoch}: validation EMD {summary.val_emd:.3f}; written to {output}")


def show_ways(console: Console, title: str, ways: Sequence[Way]) -> None:
    """Show a table of the latents of an encoder in several ways, and of what a decoder makes of them."""
    show_records(console, title, [
        {"latents of": way.name, "negative": f"{way.negative:.1%}", "zero": f"{way.zero:.1%}",
         "saturated": f"{way.saturated:.1%}", "all zero": f"{way.all_zero:.1%}", "entropy": way.entropy,
         "codes": way.n_codes, "explained": None if way.explained is None else f"{way.explained:.0%}", "EMD": way.emd}
        for way in ways], optional=("codes", "saturated"))


def show_warm_start(found: WarmStart) -> None:
    """Show what an encoder from elsewhere was worth before and after a training that began with it."""
    console = result_console()
    console.print(found.summary)
    show_ways(console, f"{found.n_modules:,} validation modules, a fresh decoder of {found.steps} steps where none is "
                       "named", found.ways)


def show_metrics(console: Console, config: Config, evaluation: Evaluation) -> None:
    """Show the metrics of an evaluation and their meanings."""
    encoder, data = config.encoder, f", {evaluation.data}" if evaluation.data else ""
    show_values(console, f"{config.name}: {encoder.arithmetic} arithmetic, {counted(encoder.latent_bits, 'bit')} per "
                         f"latent{data}", evaluation)
    if evaluation.latents:
        show_latents(console, evaluation.latents)
    show_remarks(evaluation.remarks)


def show_latents(console: Console, found: LatentStatistics) -> None:
    """Show range, entropy, saturation and histogram of each latent, then all of them in a sentence."""
    numbers = [Column(title, right=True, optional=title in {"least", "codes"})
               for title in ("least", "largest", "codes", "entropy", "at 0", "at end")]
    show_table(console, "latents, as sent", [Column("latent", right=True), *numbers, "histogram from 0 to the end"], [
        (str(k), str(one.least), str(one.largest), str(one.n_codes), f"{one.entropy:.2f}", f"{one.at_zero:.1%}",
         f"{one.at_end:.1%}", histogram_text(one.counts)) for k, one in enumerate(found.latents)])
    console.print(str(found))


def histogram_text(counts: Sequence[int]) -> str:
    """A histogram in one line, a letter per bin: blank for none, from `.` to `@` for ever more."""
    most = max(1, *counts)
    levels = " .:-=+*#%@"
    return "".join(levels[-(-count * (len(levels) - 1) // most)] for count in counts).rstrip()


def show_remarks(remarks: Sequence[str]) -> None:
    """Show what has to be known before metrics are believed, so that nobody misses it."""
    for text in remarks:
        STDERR.print(f"WARNING: {text}", style="bold red")


def show_card(console: Console, name: str, sample: Sample, found: Evaluation, metrics: Sequence[str]) -> None:
    """Show metrics beside those on the card of a shipped set, and the differences."""
    for metric in metrics:
        here, card = getattr(found, metric), getattr(sample, metric)
        if here is not None and card is not None:
            console.print(f"{metric} {here:.4f}, on the card of {name} for {TITLES[sample.name]} {card:.4f}: "
                          f"difference {here - card:+.4f}")


def show_values(console: Console, title: str, result: Result) -> None:
    """Show a table of the values of a result and their meanings."""
    rows = []
    for name, meaning in result.meanings().items():
        value = getattr(result, name)
        rows.append((name, "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4f}",
                     meaning))
    show_table(console, title, ["metric", Column("value", right=True), Column("meaning", wraps=True)], rows)


def emd_progress(
    chunks: Iterator[npt.NDArray[np.float64]], total: int
) -> Iterator[npt.NDArray[np.float64]]:
    """Show a progress bar over the chunks of an EMD computation."""
    with Progress(console=STDERR, transient=True) as progress:
        yield from progress.track(chunks, total=total, description="EMD")


@contextmanager
def part_progress(total: int) -> Iterator[Callable[[str, Mapping[str, int]], None]]:
    """Show a progress bar over the parts of a job; yields a function to call as each part finishes."""
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=STDERR,
                  disable=not STDERR.is_terminal) as progress:
        task = progress.add_task("parts", total=total)
        yield lambda _name, _counts: progress.advance(task)
        progress.update(task, completed=total)  # with those of an earlier call, which nobody tells


def show_distributions(
    found: Sequence[SampleDistribution], json: str | None, csv: str | None, output: str | None = None
) -> None:
    """Show samples side by side, and write them where they are asked for; `output` may take stdout too."""
    numbers = [Column(title, right=True) for title in ("mean", "5%", "25%", "50%", "75%", "95%")]
    names = {one.sample: Path(one.sample).name for one in found}
    if len({*names.values()}) < len(names):
        names = {name: name for name in names}
    show_table(result_console(json, csv, output), "mean and percentiles over the modules, charges in CALQ",
               ["quantity", Column("sample", wraps=True), *numbers],
               [(one.quantity, names[one.sample], *(f"{value:.1f}" if value < 1000 else f"{value:,.0f}"  # noqa: PLR2004
                 for value in (one.mean, one.p5, one.p25, one.p50, one.p75, one.p95))) for one in found])
    if json:
        ResultList[SampleDistribution](tuple(found)).save(json)
    if csv:
        write_csv(csv, [one.model_dump() for one in found])


def show_records(
    console: Console, title: str, rows: list[dict[str, Any]], optional: Sequence[str] = ()
) -> None:
    """Show a table of records with the same keys, one row each; `optional` keys only where there is room."""
    cells = [[f"{value:.3f}" if isinstance(value, float) else "yes" if value is True else "no" if value is False
              else "-" if value is None else str(value) for value in row.values()] for row in rows]
    columns = [Column(name, right=all(_NUMBER.fullmatch(row[k]) for row in cells), optional=name in optional)
               for k, name in enumerate(rows[0])]
    show_table(console, title, columns, cells)
