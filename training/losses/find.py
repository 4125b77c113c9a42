"""Look-up of losses by name, including learned ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from training.losses.charge_maps import LOSSES, Loss
from training.losses.learned import digest_of, load_emd_loss, load_model


def find_loss(name: str, emd_loss_models: str | Path) -> Loss:
    """Return a loss by name; emd_loss1, ... are read from a folder written by `econ-t emd-loss`.

    Raises InputError if that folder does not hold the loss.

    Examples:
        >>> from training.losses import find_loss
        >>> find_loss("telescope", "runs").__name__
        'telescope'
    """
    if name in LOSSES:
        return LOSSES[name]
    return load_emd_loss(Path(emd_loss_models), name)


def learned_digests(names: Sequence[str], emd_loss_models: str | Path) -> list[str]:
    """Digests of the weights of the learned losses among `names`, in the same order."""
    learned = [name for name in names if name not in LOSSES]
    if not learned:
        return []
    return [digest_of(load_model(Path(emd_loss_models), name)) for name in learned]
