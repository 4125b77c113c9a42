"""Search for encoders of the chip's size with Optuna, beyond the chip.

The size is the number of bits of all weights and biases, which a chip would hold in registers; no encoder is larger
than that of the configuration or sends more bits. The search varies kernel, stride, bits per latent and bits per
weight, and takes as many latents and filters as fit. Its objective is the mean EMD of the validation rows after a short
training.

A folder holds the study (`study.log`) and one run per encoder, so that an interrupted search continues.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.chip import LATENT_BITS
from models.config import Config
from models.cost import cost
from models.errors import InputError, ToolMissing
from models.result import ResultList
from models.spec import EncoderSpec
from training.data.dataset import Dataset
from training.fit.run import Run, locked
from training.results.encoders import SearchedEncoder
from training.studies.pareto import trained, with_widths

SPACE = {
    "kernel": [2, 3, 4, 5],
    "stride": [1, 2, 3, 4],
    "latent_bits": [3, 5, 7, 9],
    "weight_bits": [4, 5, 6, 7, 8],
}
RESULT_FILE = "search.json"

_LARGEST = 64  # largest number of filters or latents in a spec
_MOST_CHOICES = 20  # trials per requested encoder: the space is finite, and not all of it fits


def encoder(spec: EncoderSpec, kernel: int, stride: int, latent_bits: int, weight_bits: int) -> EncoderSpec | None:
    """Largest encoder with these choices that is not larger than `spec` and does not send more bits, if any."""
    resized = with_widths(spec, (weight_bits, spec.input.width))
    outputs = min(spec.dense.outputs * spec.latent_bits // latent_bits, _LARGEST)
    links = next(n_elinks for n_elinks, bits in LATENT_BITS.items() if bits == latent_bits)
    limit = cost(spec).parameter_bits
    for filters in range(_LARGEST, 0, -1):
        found = resized.evolve(n_elinks=links, conv={"kernel": kernel, "stride": stride, "filters": filters},
                               dense={"outputs": outputs})
        if cost(found).parameter_bits <= limit:
            return found
    return None


def search(
    config: Config, output: Path, n_trials: int, report: Callable[[str], None] = lambda _text: None
) -> list[SearchedEncoder]:
    """Search until `n_trials` encoders have been tried, starting with the encoder of the configuration.

    Writes `search.json`: all encoders, sorted by the mean EMD of the validation rows, with their metrics on the
    held-out rows. Raises InputError if the folder holds a search with another configuration, or is locked by another
    process.
    """
    optuna = optuna_or_missing()
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # `report` announces trials, and we raise errors
    Dataset.from_config(config)  # raise errors of the data before anything is written
    with locked(output):
        return _search(optuna, config, output, n_trials, report)


def _search(
    optuna: Any, config: Config, output: Path, n_trials: int, report: Callable[[str], None]
) -> list[SearchedEncoder]:
    backend = optuna.storages.journal.JournalFileBackend(str(output / "study.log"))
    study = optuna.create_study(storage=optuna.storages.JournalStorage(backend), study_name="encoders",
                                load_if_exists=True)
    made_from = config.model_dump(mode="json")
    if study.user_attrs.get("config", made_from) != made_from:
        raise InputError(f"{output} holds a search with another configuration; use the same options or an empty folder")
    study.set_user_attr("config", made_from)
    own = {"kernel": config.encoder.conv.kernel, "stride": config.encoder.conv.stride,
           "latent_bits": config.encoder.latent_bits, "weight_bits": config.encoder.conv.weight.width}
    _take_up(optuna, study, own)

    def objective(trial: Any) -> float:
        choices = {name: trial.suggest_categorical(name, sorted({*values, own[name]}))
                   for name, values in SPACE.items()}
        spec = encoder(config.encoder, **choices)
        if spec is None:
            raise optuna.TrialPruned
        folder = output / spec.digest()
        metrics = trained(config.evolve(encoder=spec), folder)
        value = Run(folder, new=True).summary.val_emd
        found = SearchedEncoder(**choices, filters=spec.conv.filters, latents=spec.dense.outputs, val_emd=value,
                                **dict(cost(spec)), **dict(metrics))
        trial.set_user_attr("result", found.model_dump(mode="json"))
        told = ", ".join(f"{name.replace('_', ' ')} {choice}" for name, choice in choices.items())
        report(f"trial {trial.number}: {told}: validation EMD {value:.3f}")
        return value

    while len(results := _results(optuna, study)) < n_trials:
        study.sampler = optuna.samplers.TPESampler(seed=config.training.seed + len(study.trials))
        study.optimize(objective, n_trials=1)
        if len(study.trials) > _MOST_CHOICES * n_trials:
            raise InputError(f"{output}: {len(study.trials)} trials found {len(results)} different encoders, "
                             f"expected {n_trials}")
    ResultList[SearchedEncoder](tuple(results)).save(output / RESULT_FILE)
    return results


def _take_up(optuna: Any, study: Any, first: dict[str, int]) -> None:
    """Queue `first` in a new study, or the trials that were running when an older study was stopped."""
    states = optuna.trial.TrialState
    if not study.trials:
        study.enqueue_trial(first)
    finished = [trial.params for trial in study.get_trials(states=(states.COMPLETE,))]
    for trial in study.get_trials(states=(states.RUNNING, states.FAIL)):
        if trial.state == states.RUNNING:
            study.tell(trial.number, state=states.FAIL)
        if trial.params not in finished:
            study.enqueue_trial(trial.params)


def _results(optuna: Any, study: Any) -> list[SearchedEncoder]:
    """Results of all encoders, best first; an encoder that was chosen twice counts once."""
    finished = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    distinct = {json.dumps(trial.params, sort_keys=True): trial.user_attrs["result"] for trial in finished}
    found = [SearchedEncoder.model_validate(result) for result in distinct.values()]
    return sorted(found, key=lambda one: one.val_emd)


def optuna_or_missing() -> Any:
    """The module Optuna; raises ToolMissing if it is not installed."""
    try:
        import optuna  # noqa: PLC0415  (of the extra "search")
    except ImportError:
        raise ToolMissing("optuna is not installed: pip install '.[search]'") from None
    optuna.logging.set_verbosity(logging.WARNING)
    return optuna
