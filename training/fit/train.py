"""Training of a configuration: one run, or the stages of a chain, each from the result of the one before.

A run has its own folder. It can be interrupted at any time, and resumes with the same result; a finished run is
recognised by the fingerprint of configuration and data, and is not repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from models.calq_io import CalqTable
from models.config import Config, DataConfig
from models.errors import InputError
from models.stages import started
from training.data.dataset import Dataset
from training.fit.fingerprint import fingerprint_of
from training.fit.run import Run
from training.fit.stage import check_replaced, check_start, train_stage
from training.fit.start import Start, find_start
from training.fit.trainer import EpochReport
from training.results.run import RunSummary

log = logging.getLogger(__name__)

StageReport = Callable[[int, int, Config], None]
"""Called before every stage with its number, from 1, the number of stages, and its configuration."""


def train(
    config: Config, output: str | Path, retrain: bool = False, report: EpochReport | None = None,
    start: str | Path | None = None, start_decoder: str | Path | None = None, *, on_stage: StageReport | None = None,
    checkpoint_seconds: float = 2.0, has_retrain: bool = False,
) -> RunSummary:
    """Start or resume a training, or recognise a finished one.

    `start`: folder of a finished run to initialise weights and decoder from; its link budget and its arithmetic may
    differ, and if its decoder options do, only the weights are used. Or the file of an encoder from elsewhere, which is
    brought into the chip's range; see `training.fit.into_range`. `start_decoder`: file of the decoder of such an
    encoder; see `training.fit.start_decoder`. `checkpoint_seconds`: time between checkpoints.
    Writes to `output`: weights.npz (network.npz if `training.network` is set), decoder.npz, history.json, test.csv (the
    held-out rows, with columns in the configured order), config.yaml, start.json (what the encoder from elsewhere was
    worth before and after) and, last, fingerprint.json. With
    `training.stages`, the last stage is the run in `output`, and the earlier ones are runs in stages/1, stages/2, ...
    What another training left in `output` is only replaced with `retrain`; messages name the option --retrain where the
    command has it (`has_retrain`).
    Raises InputError for bad data, if a weight is not exactly a code, or if another process has locked a folder.

    Examples:
        >>> from models import Config
        >>> from training import Run, train
        >>> config = Config.load("econ_t_2elink").override(
        ...     data={"source": "toy", "n_modules": 200},
        ...     training={"epochs": 1, "augment": {"pool": 100}, "decoder": {"width": 16}})
        >>> _ = train(config, "short")
        >>> Run("short").weights.flat.shape, len(Run("short").history.loss)
        ((2144,), 1)
    """
    if start_decoder and not start:
        raise InputError(f"--start-decoder {start_decoder}: expected --start, the file of its encoder")
    if start:
        check_start(find_start(start, config.encoder, start_decoder), config)
        # So that the configuration of the run says it.
        config = started(config, str(start), str(start_decoder) if start_decoder else None)
    steps = list(_steps(config, Run(output, new=True)))
    done = 0 if retrain else max((n for n, one in enumerate(steps, 1) if one.finished), default=0)
    if done == len(steps):
        summary = steps[-1].run.summary
        log.info("%s already holds this run, with a validation EMD of %.3f%s", output, summary.val_emd,
                 " (--retrain repeats it)" if has_retrain else "")
        return summary
    for one in steps[done:] if not retrain else ():
        check_replaced(one.run, one.fingerprint, has_retrain)
    for number, one in enumerate(steps[done:], done + 1):
        if on_stage:
            on_stage(number, len(steps), one.config)
        summary = train_stage(one.config, one.run, one.dataset, one.start, one.fingerprint, retrain=retrain,
                              report=report, checkpoint_seconds=checkpoint_seconds)
    return summary


@dataclass(frozen=True)
class _Step:
    """A stage: where it is trained, from what, and whose results count as its own."""

    config: Config
    run: Run
    start: Start | None
    dataset: Dataset
    fingerprint: str

    @property
    def finished(self) -> bool:
        return self.run.is_finished(self.config, self.fingerprint)


def _steps(config: Config, run: Run) -> Iterator[_Step]:
    """All stages with their data, which is read once for each section `data`; fingerprints need no finished stage."""
    stages, tables = config.stages(), dict[DataConfig, CalqTable]()
    start: Start | None = None
    before: str | None = None
    for number, (stage, named, decoder) in enumerate(stages, 1):
        if named:
            start = find_start(named, stage.encoder, decoder)
            check_start(start, stage)
            before = start.fingerprint
        dataset = Dataset.from_config(stage, tables.get(stage.data))
        tables[stage.data] = dataset.modules
        here = run if number == len(stages) else run.stage(number)
        before = fingerprint_of(stage, dataset.digest, before)
        yield _Step(stage, here, start, dataset, before)
        start = here
