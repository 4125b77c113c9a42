"""Search for the options of a training with Optuna: Hyperband stops trainings that fall behind.

Options are chosen by the mean EMD of the validation modules. Those of the best training are repeated with other seeds;
the best seed, again by validation, is evaluated on the held-out modules, once. Its configuration is written, from which
`econ-t train` makes the same weights again.

A folder holds the study (`trainings.log`) and the runs, so that an interrupted search goes on where it was. Workers of
a dask cluster, on this machine or of a batch system, share the study by this file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from models.config import Config
from models.errors import InputError
from models.files import atomic_path
from training.data.dataset import Dataset
from training.figures.style import style
from training.figures.training_search import study_curves
from training.fit.run import Run, locked
from training.fit.train import train
from training.production.farm import FarmClient, FarmConfig, client_of
from training.results.evaluation import EmdMetrics
from training.results.run import Epoch
from training.results.training_search import TrainingSearch, TriedTraining
from training.studies.search import optuna_or_missing

RESULT_FILE, STUDY_FILE, BEST_FILE, PICTURE_FILE = "trainings.json", "trainings.log", "best.yaml", "trainings.png"
CHOICES: dict[str, tuple[Any, ...]] = {
    "optimizer": ("adam", "adamw", "lion"), "schedule": ("cosine", "restarts", "step", "exponential"),
    "batch_size": (64, 128, 256, 512, 1024), "loss": ("kernel", "telescope", "weighted_mse"),
    "final_fraction": (0.0, 0.2, 0.4), "decoder.width": (128, 256, 512), "decoder.layers": (2, 3, 4),
    "augment.generated": (0.0, 0.25, 0.5), "augment.mix": (0.0, 0.3), "augment.cut": (0.0, 0.3),
    "augment.scale": (0.0, 0.5)}
"""Options of `training` with a few values each; those of the configuration are added."""
RATES = (1e-5, 1e-2)
DECAYS = (1e-6, 1e-2)
"""Ranges of learning rate and of weight decay, both searched by their logarithm."""
_REDUCTION = 3  # Hyperband: of three trainings, one goes on


def search_trainings(
    config: Config, output: Path, n_trials: int, n_seeds: int = 3, report: Callable[[str], None] = lambda _text: None,
    farm: FarmConfig | None = None,
) -> TrainingSearch:
    """Search until `n_trials` trainings are finished or stopped, the first with the options of the configuration.

    `farm`: where they run, as many at once as it has workers; default: here, one after another. Raises InputError if
    the folder holds a search with another configuration, or is locked by another process.
    """
    if config.training.network or config.training.stages:
        raise InputError("a search of trainings takes the chip's encoder in one stage, expected no network and stages")
    optuna = optuna_or_missing()
    Dataset.from_config(config)  # raise errors of the data before anything is written
    with locked(output):
        study = _study(optuna, config, output)
        if farm is None or (farm.cluster == "local" and farm.n_workers == 1):
            while len(_done(optuna, study)) < n_trials:
                report(_try(config, output, len(study.trials)))
            return _finish(optuna, study, config, output, n_seeds, report=report, trained=_trained)
        with client_of(farm) as client:
            _search_on(client, farm.n_workers * farm.cores, study, config=config, output=output, n_trials=n_trials,
                       report=report)

            def trained(chosen: list[Config], folder: Path) -> list[float]:
                futures = [client.submit(_trained, chosen=[one], output=folder, pure=False) for one in chosen]
                return [client.result(one)[0] for one in futures]

            return _finish(optuna, study, config, output, n_seeds, report=report, trained=trained)


def _search_on(
    client: FarmClient, n_at_once: int, study: Any, *, config: Config, output: Path, n_trials: int,
    report: Callable[[str], None],
) -> None:
    """Keep this many trainings at work until enough are done."""
    optuna = optuna_or_missing()
    # Waiting trials bring their own options. Counted, they would shift the seeds, and a resumed search draw one again.
    numbers = count(sum(trial.state != optuna.trial.TrialState.WAITING for trial in study.trials))

    def one_more() -> Any:
        return client.submit(_try, config=config, output=output, number=next(numbers), shared=True, pure=False)

    left = n_trials - len(_done(optuna, study))
    running = client.finished([one_more() for _ in range(min(left, n_at_once))])
    at_work = min(left, n_at_once)
    for future in running:
        report(client.result(future))
        at_work -= 1
        if len(_done(optuna, study)) + at_work < n_trials:
            running.add(one_more())
            at_work += 1


def _try(config: Config, output: Path, number: int, shared: bool = False) -> str:
    """Train one choice of options, in any process; returns what became of it.

    `number`: different in each call, for the sampler; `shared`: other processes try others meanwhile.
    """
    optuna = optuna_or_missing()
    study = _open(optuna, config, output)
    study.sampler = optuna.samplers.TPESampler(seed=config.training.seed + number, constant_liar=shared)
    told: list[str] = []
    study.optimize(lambda trial: _objective(optuna, trial, config, output, told.append), n_trials=1)
    return told[-1]


def _trained(chosen: list[Config], output: Path) -> list[float]:
    """Train configurations in their folders, in any process; returns the validation EMD of each."""
    return [train(one, _folder(output, one)).val_emd for one in chosen]


def _open(optuna: Any, config: Config, output: Path) -> Any:
    backend = optuna.storages.journal.JournalFileBackend(str(output / STUDY_FILE))
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=config.training.epochs,
                                            reduction_factor=_REDUCTION)
    return optuna.create_study(storage=optuna.storages.JournalStorage(backend), study_name="trainings",
                               pruner=pruner, load_if_exists=True)


def _study(optuna: Any, config: Config, output: Path) -> Any:
    """The study of a folder, in which interrupted trainings wait to go on."""
    study = _open(optuna, config, output)
    made_from = config.model_dump(mode="json")
    if study.user_attrs.get("config", made_from) != made_from:
        raise InputError(f"{output} holds a search with another configuration; use the same options or an empty folder")
    study.set_user_attr("config", made_from)
    if not study.trials:
        study.enqueue_trial(_own(config))
    states = optuna.trial.TrialState
    known = [trial.params for trial in _done(optuna, study)]
    known += [trial.system_attrs.get("fixed_params") for trial in study.get_trials(states=(states.WAITING,))]
    for trial in study.get_trials(states=(states.RUNNING, states.FAIL)):  # interrupted: they go on
        if trial.state == states.RUNNING:
            study.tell(trial.number, state=states.FAIL)
        if trial.params and trial.params not in known:
            known.append(trial.params)
            study.enqueue_trial(trial.params)
    return study


def _own(config: Config) -> dict[str, Any]:
    """Options of the configuration, as the search names them."""
    training = config.training
    decay = {"weight_decay": training.weight_decay} if training.weight_decay else {}
    return {name: _value(config, name) for name in CHOICES} | {"learning_rate": training.learning_rate} | decay


def _value(config: Config, name: str) -> Any:
    section: Any = config.training
    for part in name.split("."):
        section = getattr(section, part)
    return section


def _objective(optuna: Any, trial: Any, config: Config, output: Path, report: Callable[[str], None]) -> float:
    chosen = with_options(config, suggest(trial, config))
    folder = _folder(output, chosen)

    def after(epoch: int, values: Epoch) -> None:
        trial.report(values.val_emd, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        train(chosen, folder, report=after)
    except optuna.TrialPruned:
        with suppress(FileNotFoundError):  # a training that saved nothing leaves no folder
            shutil.rmtree(folder)
        report(f"trial {trial.number}: stopped")
        raise
    history = Run(folder).history.val_emd
    trial.set_user_attr("val_emd", list(history))
    report(f"trial {trial.number}: validation EMD {min(history):.3f}")
    return min(history)


def suggest(trial: Any, config: Config) -> dict[str, Any]:
    """Options of `training` by dotted name, as an Optuna trial chooses them."""
    training, found = config.training, dict[str, Any]()
    for name, values in CHOICES.items():
        if name == "augment.generated" and any(one != "sum" for one in training.decoder.conditions):
            continue  # generated modules have no conditions
        own = _value(config, name)
        found[name] = trial.suggest_categorical(name, list(dict.fromkeys([*values, own])))
    for name, (low, high), own in (("learning_rate", RATES, training.learning_rate),
                                   ("weight_decay", DECAYS, training.weight_decay)):
        if name == "learning_rate" or found["optimizer"] != "adam":
            found[name] = trial.suggest_float(name, min(low, own or low), max(high, own), log=True)
    return found


def with_options(config: Config, options: dict[str, Any]) -> Config:
    """The configuration with these options of `training`, by dotted name."""
    plain = {name: value for name, value in options.items() if "." not in name}
    changed: dict[str, Any] = {"weight_decay": 0.0} | plain
    for name, value in options.items():
        section, dot, key = name.partition(".")
        if dot:
            changed[section] = changed.get(section, {}) | {key: value}
    return config.evolve(training=changed)


def _folder(output: Path, config: Config) -> Path:
    text = json.dumps(config.training.model_dump(mode="json"), sort_keys=True)
    return output / "runs" / hashlib.sha256(text.encode()).hexdigest()[:16]


def _done(optuna: Any, study: Any) -> list[Any]:
    states = optuna.trial.TrialState
    found: list[Any] = study.get_trials(states=(states.COMPLETE, states.PRUNED))
    return found


def _finish(
    optuna: Any, study: Any, config: Config, output: Path, n_seeds: int, *, report: Callable[[str], None],
    trained: Callable[[list[Config], Path], list[float]],
) -> TrainingSearch:
    """Repeat the best options with other seeds, choose by validation, and evaluate that one training.

    `trained`: trains configurations in the folder and returns the validation EMD of each.
    """
    tried = [TriedTraining(
        number=trial.number, options=dict(trial.params), pruned=trial.state == optuna.trial.TrialState.PRUNED,
        val_emd=tuple(trial.user_attrs.get("val_emd", trial.intermediate_values.values()))) for trial in
        _done(optuna, study)]
    finished = [one for one in tried if not one.pruned]
    if not finished:
        raise InputError(f"{output}: all {len(tried)} trainings were stopped, expected one that is finished; "
                         "give more --trials")
    best = with_options(config, min(finished, key=lambda one: one.best).options)
    chosen = [best.evolve(training={"seed": config.training.seed + k}) for k in range(n_seeds)]
    seeds = {one.training.seed: (value, one) for one, value in zip(chosen, trained(chosen, output), strict=True)}
    for number, (value, _) in seeds.items():
        report(f"seed {number}: validation EMD {value:.3f}")
    seed = min(seeds, key=lambda one: seeds[one][0])
    run = Run(_folder(output, seeds[seed][1]))
    seeds[seed][1].save(output / BEST_FILE)
    found = run.evaluate()
    result = TrainingSearch(
        trials=tuple(tried), seeds={str(one): value for one, (value, _) in seeds.items()}, chosen_seed=seed,
        test=EmdMetrics(**{name: getattr(found, name) for name in EmdMetrics.model_fields}),
        configuration=str(output / BEST_FILE))
    with style("experiment"), atomic_path(output / PICTURE_FILE) as temporary:
        study_curves(result).savefig(temporary, format="png", dpi=150)
    result.save(output / RESULT_FILE)
    return result
