"""Result of training losses that approximate the EMD: emd_loss.json of `econ-t emd-loss`."""

from __future__ import annotations

from models.result import FloatOrNone, Result


class Accuracy(Result):
    """Errors of approximate EMDs, in sensor-cell pitches except for the correlation."""

    mean_absolute_error: float
    bias: float
    spread: float
    correlation: FloatOrNone


class LearnedLoss(Accuracy):
    """A learned loss: size, seed and weights of its network, and its accuracy on held-out pairs."""

    name: str
    image: str
    layers: int
    filters: int
    kernel: int
    units: int
    seed: int
    n_weights: int
    digest: str


class LearnedLosses(Result):
    """The losses that were kept, the most accurate first."""

    seed: int
    epochs: int
    n_pairs_per_epoch: int
    n_trained: int
    n_held_out_modules: int
    n_held_out_pairs: int
    mean_emd: float
    models: tuple[LearnedLoss, ...]
