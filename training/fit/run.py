"""What a run left in its folder: its fingerprint, and the weights and decoder that another run may begin with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from models.config import Config
from models.errors import InputError
from models.weights import EncoderWeights
from training.losses.find import learned_digests
from training.networks.decoder import DECODER_FILE, load_decoder
from training.results.run import RunSummary

FINGERPRINT_FILE = "fingerprint.json"



def fingerprint_of(config: Config, data: str, start: Path | None = None) -> str:
    """16 hex digits of all that the result depends on: encoder, options, split, digest of the data, run to start from.

    Learned losses count by their weights, wherever they are.
    """
    training = config.training
    parts = [config.encoder.digest(), training.model_dump(mode="json", exclude={"emd_loss_models"}), config.data.seed,
             data, *learned_digests((training.loss, training.final_loss), training.emd_loss_models)]
    if start:
        parts.append(RunSummary.load(start / FINGERPRINT_FILE).fingerprint)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def trained(run: Path, config: Config) -> tuple[EncoderWeights, Any | None]:
    """Weights and decoder of a finished run; its encoder may differ from ours in the number of links alone.

    The decoder is None if its options are not ours: it then starts anew.
    """
    if config.training.network:
        raise InputError(f"{run}: network {config.training.network} starts at random, expected no --start")
    its = Config.load(run / "config.yaml")
    theirs, alike = its.encoder, its.training.decoder == config.training.decoder
    if theirs.evolve(n_elinks=config.encoder.n_elinks) != config.encoder:
        raise InputError(f"{run}: an encoder of other formats or shapes, expected one that differs in n_elinks alone")
    weights = EncoderWeights.load(run / "weights.npz", theirs)
    return EncoderWeights(config.encoder, **weights.arrays), load_decoder(run, theirs) if alike else None


def finished(output: Path, fingerprint: str, encoder: str) -> RunSummary | None:
    """The summary of a finished run of this fingerprint, if all its files are there."""
    path = output / FINGERPRINT_FILE
    needed = (encoder, DECODER_FILE, "history.json", "config.yaml", "test.csv")
    if not path.exists() or not all((output / name).exists() for name in needed):
        return None
    summary = RunSummary.load(path)
    return summary if summary.fingerprint == fingerprint else None


@contextmanager
def alone(output: Path) -> Iterator[None]:
    """Hold a folder, which is made if need be; raises InputError at once if another process holds it."""
    output.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(output / ".lock", blocking=False).acquire()
    except Timeout:
        raise InputError(f"{output}: locked by another process; wait for it or choose another --output") from None
    with held:
        yield
