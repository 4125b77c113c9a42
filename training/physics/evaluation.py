"""Physics performance of an encoder: the EMD between true charge maps and those decoded from the chip's integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator import encode
from models.arrays import FloatArray, IntArray
from models.config import Config
from models.register_weights import load_weights
from models.spec import EncoderSpec
from models.trigger_cells import CALQ_PER_MIPT, to_trigger_cells
from models.weights import EncoderWeights
from training.physics.emd import EMPTY_INPUT, EMPTY_OUTPUT, Progress, emd

MEANINGS = {
    "n_modules": "modules read",
    "n_empty_input": "of these, modules without charge; they have no EMD",
    "n_empty_output": "modules with charge whose decoded map has none; they have no EMD",
    "n_selected": f"modules with at least one cell above {CALQ_PER_MIPT} CALQ (one transverse MIP)",
    "emd_mean": "mean EMD of the selected modules, in sensor-cell pitches",
    "emd_median": "their median",
    "emd_q68": "their 68% quantile",
    "emd_mean_all": "mean EMD of all modules that have one",
    "emd_median_all": "their median",
    "emd_q68_all": "their 68% quantile",
}
"""Every figure of metrics.json; one of no module at all is null."""



def evaluate(
    spec: EncoderSpec, weights: EncoderWeights, decoder: Any, calq: IntArray,
    n_processes: int | None = None, progress: Progress | None = None,
) -> dict[str, float | int | None]:
    """The figures of `MEANINGS`. calq: (n, 48) in image order; the latents are those of the NumPy emulator."""
    module_sum, latent_value = _latents(spec, weights, calq)
    return _evaluate(latent_value, module_sum, decoder, calq, n_processes, progress)


def evaluate_run(
    config: Config, weights: Path, decoder: Path, calq: IntArray,
    n_processes: int | None = None, progress: Progress | None = None,
) -> dict[str, float | int | str | None]:
    """The same of an encoder and a decoder in files, the encoder one that `training.network` names if it does.

    For an encoder of the chip, `weights` is the digest of its weights.
    """
    from training.networks.decoder import load_decoder

    made_from: dict[str, str] = {}
    if config.training.network:
        from training.networks.keras_encoder import load

        module_sum, latent_value = load(weights, config).encode(calq)
    else:
        codes = load_weights(weights, config.encoder)
        made_from["weights"] = codes.digest()
        module_sum, latent_value = _latents(config.encoder, codes, calq)
    model = load_decoder(decoder, config.encoder)
    return {**made_from, **_evaluate(latent_value, module_sum, model, calq, n_processes, progress)}


def _latents(spec: EncoderSpec, weights: EncoderWeights, calq: IntArray) -> tuple[IntArray, FloatArray]:
    trace = encode(weights, calq, keep=["module_sum", "latent_code"])
    return trace["module_sum"], spec.latent.value(trace["latent_code"])


def shown(figure: float | None) -> str:
    """A figure of `MEANINGS` in a line of text."""
    return "-" if figure is None else f"{figure:.3f}"


def _evaluate(
    latent_value: FloatArray, module_sum: IntArray, decoder: Any, calq: IntArray,
    n_processes: int | None, progress: Progress | None,
) -> dict[str, float | int | None]:
    from training.networks.decoder import decode

    pred = decode(decoder, latent_value, module_sum)
    return metrics(calq, emd(to_trigger_cells(calq), pred, n_processes, progress))


def metrics(calq: IntArray, distance: npt.NDArray[np.float64]) -> dict[str, float | int | None]:
    """The figures of `MEANINGS` from charges (n, 48) and the result of `emd` (n,)."""
    selected = calq.max(axis=1, initial=0) > CALQ_PER_MIPT
    exists = distance >= 0
    result: dict[str, float | int | None] = {
        "n_modules": len(calq),
        "n_empty_input": int((distance == EMPTY_INPUT).sum()),
        "n_empty_output": int((distance == EMPTY_OUTPUT).sum()),
        "n_selected": int(selected.sum()),
    }
    for suffix, values in (("", distance[exists & selected]), ("_all", distance[exists])):
        for name, figure in (("mean", np.mean), ("median", np.median), ("q68", lambda v: np.quantile(v, 0.68))):
            result[f"emd_{name}{suffix}"] = float(figure(values)) if len(values) else None
    return result
