"""Physics performance of an encoder: the EMD between true charge maps and those decoded from the chip's integers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator import encode
from models.arrays import FloatArray, IntArray
from models.compact_decoder import CompactDecoder
from models.config import Config
from models.register_weights import load_weights
from models.trigger_cells import CALQ_PER_MIPT, to_trigger_cells
from models.weights import EncoderWeights
from training.networks.decoding import decode, load_decoder
from training.physics.emd import Progress, emd
from training.physics.latents import latent_statistics
from training.production.condition_columns import condition_columns, missing_conditions
from training.results.evaluation import EmdMetrics, Evaluation

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def evaluate(
    weights: EncoderWeights, decoder: Any, calq: IntArray,
    n_processes: int | None = None, progress: Progress | None = None,
) -> EmdMetrics:
    """Evaluate an encoder on charges (n, 48) in image order, with the latents of the NumPy emulator.

    Raises InputError for a compact decoder of another encoder.

    Examples:
        >>> from training import Run, evaluate, generate
        >>> run = Run("econ_t_5elink")
        >>> metrics = evaluate(run.weights, run.decoder, generate(50, seed=1))
        >>> metrics.n_modules, metrics.n_empty_output
        (50, 0)
    """
    check_encoder(decoder, weights.digest(), "decoder")
    module_sum, latent_value = _latents(weights, calq)
    return _evaluate(latent_value, module_sum, decoder, calq, n_processes, progress)


def evaluate_run(
    config: Config, weights: Path, decoder: Path, calq: IntArray,
    n_processes: int | None = None, progress: Progress | None = None, *, extra: pd.DataFrame | None = None,
) -> Evaluation:
    """Evaluate an encoder and a decoder in files; `training.network` names the encoder unless it is the chip's.

    `extra`: further columns of the modules, from which a decoder takes its conditions.

    Raises InputError if a file cannot be read or belongs to another configuration.

    Examples:
        >>> from training import Run, generate
        >>> from training.physics import evaluate_run
        >>> run = Run("econ_t_5elink")
        >>> evaluate_run(run.config, run.weights_file, run.decoder_file, generate(50, seed=1)).n_modules
        50
    """
    codes = statistics = None
    if config.training.network:
        from training.networks.keras_encoder import load  # noqa: PLC0415  (starts TensorFlow)

        module_sum, latent_value = load(weights, config).encode(calq)
    else:
        codes = load_weights(weights, config.encoder)
        module_sum, latent_value = _latents(codes, calq)
        statistics = latent_statistics(codes, calq)
    model = load_decoder(decoder, config.encoder, codes)
    check_encoder(model, codes.digest() if codes else None, decoder)
    columns = known_columns(config, extra)
    found = _evaluate(latent_value, module_sum, model, calq, n_processes, progress, columns=columns)
    return Evaluation(config=config.name, weights=codes.digest() if codes else None, latents=statistics,
                      **dict(found))


def known_columns(config: Config, extra: pd.DataFrame | None) -> dict[str, Any]:
    """Columns from which a decoder takes its conditions; logs which of them are missing, and taken as 0."""
    columns = {} if extra is None else condition_columns(extra)
    missing = missing_conditions(config.training.decoder.conditions, columns)
    if missing:
        log.warning("conditions %s: the modules have no such columns; the decoder sees 0 instead", ", ".join(missing))
    return columns


def check_encoder(decoder: Any, encoder: str | None, what: object) -> None:
    """Raise InputError for a compact decoder that belongs to another encoder; `encoder` is the digest of ours."""
    if isinstance(decoder, CompactDecoder):
        decoder.check_encoder(encoder, what)


def _latents(weights: EncoderWeights, calq: IntArray) -> tuple[IntArray, FloatArray]:
    trace = encode(weights, calq, keep=["module_sum", "latent_code"])
    return trace["module_sum"], weights.spec.latent.value(trace["latent_code"])


def shown(value: float | None) -> str:
    """Format a metric; - if it is absent."""
    return "-" if value is None else f"{value:.3f}"


def _evaluate(
    latent_value: FloatArray, module_sum: IntArray, decoder: Any, calq: IntArray,
    n_processes: int | None, progress: Progress | None, *, columns: dict[str, Any] | None = None,
) -> EmdMetrics:
    pred = decode(decoder, latent_value, module_sum, columns)
    return metrics(calq, emd(to_trigger_cells(calq), pred, n_processes, progress))


def metrics(calq: IntArray, distance: npt.NDArray[np.float64]) -> EmdMetrics:
    """Summarise the result of `emd`, (n,), for charges (n, 48)."""
    selected, charged = calq.max(axis=1, initial=0) > CALQ_PER_MIPT, calq.any(axis=1)
    exists = np.isfinite(distance)
    of_selected, of_all = distance[exists & selected], distance[exists]
    return EmdMetrics(
        n_modules=len(calq), n_empty_input=int((~charged).sum()), n_empty_output=int((charged & ~exists).sum()),
        n_selected=int(selected.sum()),
        emd_mean=_of(np.mean, of_selected), emd_error=_of(_error, of_selected), emd_median=_of(np.median, of_selected),
        emd_q68=_of(_q68, of_selected), emd_mean_all=_of(np.mean, of_all), emd_error_all=_of(_error, of_all),
        emd_median_all=_of(np.median, of_all), emd_q68_all=_of(_q68, of_all))


def _error(values: FloatArray) -> float:
    """Standard error of the mean; NaN of a single value."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def _q68(values: FloatArray) -> float:
    return float(np.quantile(values, 0.68))


def _of(statistic: Callable[[FloatArray], Any], values: FloatArray) -> float | None:
    return float(statistic(values)) if len(values) else None
