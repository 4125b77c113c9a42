"""An encoder as its file holds it: the weights, and the output mask of a register file."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from emulator.algorithms.autoencoder import Autoencoder
from emulator.encoder import encode
from emulator.trace import Trace
from models.arrays import IntArray
from models.config import Config
from models.configured import load_configured
from models.register_weights import stored_mask
from models.weights import EncoderWeights


@dataclass(frozen=True)
class FileEncoder:
    """Weights with their configuration; `mask` is None where it follows from the spec."""

    path: Path
    config: Config
    weights: EncoderWeights
    mask: int | None

    @classmethod
    def load(cls, path: Path, config: Path | None = None) -> FileEncoder:
        """Read weights.npz, a register file, or those of a shipped set, and their configuration."""
        chosen, weights = load_configured(path, config)
        return cls(path, chosen, weights, stored_mask(path, chosen.encoder.n_elinks))

    def encode(self, calq: IntArray, keep: Collection[str] = ()) -> tuple[IntArray, Trace]:
        """Codes that are sent, (n, outputs), and the stages named in `keep`; calq (n, 48) in image order."""
        if self.mask is None:
            stages = encode(self.weights, calq, keep={*keep, "latent_code"})
            return stages["latent_code"], stages
        stages = encode(self.weights, calq, keep={*keep, "output_code", "latent_code"})
        sent = Autoencoder(self.config.encoder.n_elinks, self.mask, self.weights).latents(stages["output_code"])
        return sent.astype(stages["latent_code"].dtype), stages
