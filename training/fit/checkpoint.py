"""Checkpoint of a training: everything needed to resume after an interruption, with the same result."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import InputError, parsing
from models.npz import write_npz
from training.fit.trainer import Trainer
from training.results.run import Epoch


@dataclass
class Checkpoint:
    """Checkpoint file of the training with this fingerprint."""

    path: Path
    fingerprint: str
    seconds: float = 2.0
    """Minimum time between checkpoints: writing one can take longer than a short epoch."""
    _saved: float = field(default_factory=time.monotonic)

    def save(self, trainer: Trainer) -> None:
        """Write the variables of encoder, decoder and optimiser, the best epoch so far, and the history."""
        arrays = {f"variable_{i}": variable.numpy() for i, variable in enumerate(trainer.state)}
        arrays |= {f"best_{i}": value for i, value in enumerate(trainer.best)}
        arrays |= {f"history_{name}": np.array([getattr(one, name) for one in trainer.history])
                   for name in Epoch._fields}
        write_npz(self.path, fingerprint=self.fingerprint, **arrays)
        self._saved = time.monotonic()

    def save_if_due(self, trainer: Trainer) -> None:
        """Write the checkpoint, unless the last one is more recent than `seconds`."""
        if time.monotonic() - self._saved > self.seconds:
            self.save(trainer)

    def owner(self) -> str | None:
        """Fingerprint of the training that the file is of; None if there is no file, or it is damaged."""
        if not self.path.exists():
            return None
        try:
            with parsing(self.path, "a checkpoint"), np.load(self.path, allow_pickle=False) as file:
                return str(file["fingerprint"])
        except InputError:
            return None

    def restore(self, trainer: Trainer) -> bool:
        """Restore a trainer; False if there is no checkpoint of this training, or it is damaged."""
        if not self.path.exists():
            return False
        try:
            with parsing(self.path, "a checkpoint"), np.load(self.path, allow_pickle=False) as file:
                if str(file["fingerprint"]) != self.fingerprint:
                    return False
                # Read and check everything before changing anything.
                state = [_like(variable, file[f"variable_{i}"]) for i, variable in enumerate(trainer.state)]
                best = [_like(variable, file[f"best_{i}"]) for i, variable in enumerate(trainer.variables)]
                columns = (file[f"history_{name}"].tolist() for name in Epoch._fields)
                history = [Epoch(*values) for values in zip(*columns, strict=True)]
        except InputError as error:
            logging.getLogger(__name__).warning("%s; training starts from the beginning", error)
            return False
        for variable, value in zip(trainer.state, state, strict=True):
            variable.assign(value)
        trainer.best, trainer.history = best, history
        return True

    def remove(self) -> None:
        """Delete the file, if it exists."""
        self.path.unlink(missing_ok=True)


def _like(variable: Any, value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if value.shape != tuple(variable.shape):
        raise ValueError(f"shape {value.shape}, expected {tuple(variable.shape)}")
    return value
