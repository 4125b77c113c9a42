"""Card of a shipped set: what it was trained on, how good it is, and the commands that make and check it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from models.result import Result
from training.results.evaluation import EmdMetrics, Evaluation

SampleName = Literal["held_out", "published", "sparse", "generated"]

TITLES: dict[SampleName, str] = {
    "held_out": "held-out published modules", "published": "all published modules", "sparse": "sparse modules",
    "generated": "generated test modules",
}
"""In words, in the order of tables."""

TOLERANCE = 0.001
"""Largest difference of a mean EMD from its card, in sensor-cell pitches: floating sums depend on the machine."""


class Training(Result):
    """One of the trainings in a row that led to the set."""

    run: str
    """Name of its folder: a set may continue the training of another."""
    modules: str
    """Where the modules come from, in words."""
    data_digest: str
    n_train: int
    n_validation: int
    epochs: int
    n_steps: int
    loss: str
    learning_rate: float
    seed: int
    val_emd: float


class Sample(EmdMetrics):
    """EMD of modules that were not trained on, in the emulator's integers and with the decoder as shipped."""

    name: SampleName
    digest: str
    """Of the charges."""


class CompactCard(Result):
    """What is known of a compact decoder of a shipped set."""

    name: str
    """Of its file, without the suffix."""
    digest: str
    """Of its spec, its weights and its encoder."""
    macs: int
    """Multiply-accumulates for one module."""
    weight_bits: int
    val_emd: float
    """Mean of the validation rows after the epoch that was kept, in sensor-cell pitches."""
    samples: tuple[Sample, ...]


class Card(Result):
    """What belongs to a shipped set."""

    name: str
    n_elinks: int
    latent_bits: int
    arithmetic: str
    spec: str
    """Digest."""
    weights: str
    """Digest."""
    decoder: str
    """Digest of the file."""
    decoder_bytes: int
    decoder_parameters: int
    trained_on: tuple[Training, ...]
    samples: tuple[Sample, ...]
    compact: tuple[CompactCard, ...] = ()
    """Decoders of a few thousand multiply-accumulates, in integers."""
    fingerprint: str
    """Of the training."""
    command: str
    versions: dict[str, str]

    def samples_of(self, decoder: str | None) -> tuple[Sample, ...]:
        """The metrics with a compact decoder of the set, by the name of its file without the suffix.

        None is the decoder in floating point; there are no metrics with a decoder that is not of the set.
        """
        if decoder is None:
            return self.samples
        return next((one.samples for one in self.compact if one.name == decoder), ())

    def sample(self, name: SampleName, decoder: str | None = None) -> Sample | None:
        """The metrics of one sample, if it was at hand when the set was shipped; `decoder`: as in `samples_of`."""
        return next((one for one in self.samples_of(decoder) if one.name == name), None)

    def sample_of(self, digest: str, decoder: str | None = None) -> Sample | None:
        """The metrics of the modules with this digest, with a decoder as in `samples_of`."""
        return next((one for one in self.samples_of(decoder) if one.digest == digest), None)

    def problem(self, sample: Sample, found: Evaluation, metrics: Sequence[str]) -> str | None:
        """What an evaluation of the same modules does not reproduce, in words; None if it agrees with the card."""
        if found.weights != self.weights:
            return f"weights {found.weights}, but the card is of {self.weights}"
        for name in metrics:
            here, card = getattr(found, name), getattr(sample, name)
            if (here is None) != (card is None) or (here is not None and not abs(here - card) <= TOLERANCE):
                return f"{name} {here}, but {card} on the card"
        return None
