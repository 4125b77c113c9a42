"""Result of a search of trainings: trainings.json in the folder of the study."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from models.result import Result, Rounded
from training.results.evaluation import EmdMetrics


class TriedTraining(Result):
    """A training with one choice of options; `pruned` ones were stopped early."""

    number: int
    options: dict[str, Any]
    """Values of `training` that the search chose, by dotted name."""
    pruned: bool
    val_emd: tuple[Rounded, ...] = Field(description="mean EMD of the validation modules after each epoch")

    @property
    def best(self) -> float:
        """Of the epoch that is kept."""
        return min(self.val_emd)


class TrainingSearch(Result):
    """All trainings, the seeds of the best one, and what the chosen one reaches on the held-out modules."""

    trials: tuple[TriedTraining, ...]
    """In the order in which they were tried; the first has the options of the configuration."""
    seeds: dict[str, Rounded]
    """Validation EMD of the best options by seed."""
    chosen_seed: int
    test: EmdMetrics
    """Of the chosen training, evaluated once."""
    configuration: str
    """File that trains the same weights again."""

    @property
    def ranked(self) -> tuple[TriedTraining, ...]:
        """Finished trainings, the best first, then those that were stopped."""
        return tuple(sorted(self.trials, key=lambda one: (one.pruned, one.best)))
