"""Results of a training: history.json and fingerprint.json of a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, NamedTuple

from pydantic import Field

from models.config import TrainingConfig
from models.result import Result


class Epoch(NamedTuple):
    """Values after one epoch: of the training modules, and of the validation modules."""

    loss: float
    val_loss: float
    val_emd: float
    """Mean, in sensor-cell pitches."""


class History(Result):
    """Values after each epoch; EMD in sensor-cell pitches, empty if it was not computed."""

    loss: Annotated[tuple[float, ...], Field(min_length=1)]
    val_loss: Annotated[tuple[float, ...], Field(min_length=1)]
    val_emd: tuple[float, ...] = ()
    final_from: int | None = None
    """First epoch, counted from 1, on another loss than those before: the scale changes there."""
    losses: tuple[str, ...] = ()
    """Names of the losses before and from that epoch on."""

    def marked(self, training: TrainingConfig) -> History:
        """The same with the epoch at which a training of this configuration changed its loss, if it did."""
        first = training.n_first_epochs
        if not 0 < first < len(self.loss) or training.loss == training.final_loss:
            return self
        return self.model_copy(update={"final_from": first + 1, "losses": (training.loss, training.final_loss)})

    @classmethod
    def of(cls, epochs: Iterable[Epoch]) -> History:
        """The history of these epochs, in their order."""
        loss, val_loss, val_emd = zip(*epochs, strict=True)
        return cls(loss=loss, val_loss=val_loss, val_emd=val_emd)


class RunSummary(Result):
    """Summary of a finished run: digests of what it was made from, and the epoch that was kept."""

    fingerprint: str
    encoder_digest: str
    data_digest: str
    data: str | None = None
    """Source of the modules, in words; None in runs of before."""
    n_train: int
    n_validation: int
    n_test: int
    epochs: int
    best_epoch: int
    """Number of the epoch, counted from 1."""
    val_emd: float
    """Mean EMD of the validation rows after this epoch, in sensor-cell pitches."""
