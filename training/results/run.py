"""Results of a training: history.json and fingerprint.json of a run."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from models.result import Result


class History(Result):
    """Values after each epoch; EMD in sensor-cell pitches, empty if it was not computed."""

    loss: Annotated[tuple[float, ...], Field(min_length=1)]
    val_loss: Annotated[tuple[float, ...], Field(min_length=1)]
    val_emd: tuple[float, ...] = ()


class RunSummary(Result):
    """Summary of a finished run: digests of what it was made from, and the epoch that was kept."""

    fingerprint: str
    encoder_digest: str
    data_digest: str
    n_train: int
    n_validation: int
    n_test: int
    epochs: int
    best_epoch: int
    """Number of the epoch, counted from 1."""
    val_emd: float
    """Mean EMD of the validation rows after this epoch, in sensor-cell pitches."""
