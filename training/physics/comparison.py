"""Comparison of algorithms: every scheme on the same modules, for each number of links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import FloatArray, IntArray
from models.chip import Algorithm
from models.errors import InputError
from models.wording import counted
from training.physics.coordinates import Binned, coordinates
from training.physics.coordinates import values as coordinate_values
from training.physics.emd import Progress, emd
from training.physics.metrics import METRICS, event_metrics
from training.physics.sample import choose
from training.physics.schemes import Received, Scheme, classical_schemes, fitted_threshold_sum
from training.physics.statistics import Bootstrap, profile
from training.results.comparison import (
    N_HISTOGRAM_BINS,
    Comparison,
    Display,
    Distribution,
    Map,
    Margin,
    Metric,
    Options,
    Profile,
    SchemeResult,
)
from training.results.sample import Reception, Sample

_EMD_BATCH = 200_000  # maps per call of the EMD: 80 MB each way
_SIGMAS = 3.0  # a smaller difference is a tie
_EMD = list(METRICS).index("emd")


def all_schemes(options: Options, calq: IntArray, encoders: Sequence[Scheme]) -> list[Scheme]:
    """All schemes of all budgets: first its trained encoders, then the classical ones. calq: (n, 48), TC order."""
    schemes = []
    for n_elinks in options.n_elinks:
        schemes += [scheme for scheme in encoders if scheme.n_elinks == n_elinks]
        classical = classical_schemes(n_elinks, options.dropped_bits, options.thresholds)
        classical.insert(len(options.thresholds),
                         fitted_threshold_sum(n_elinks, options.dropped_bits, calq, options.max_cut))
        schemes += classical
    return schemes


@dataclass(frozen=True)
class _Measured:
    """A scheme, what the receiver gets from it, and its metrics of the selected modules, `values` (n, metrics)."""

    scheme: Scheme
    received: Received
    values: FloatArray
    emd_mean: float

    @property
    def emd(self) -> FloatArray:
        """EMD of each selected module, (n,)."""
        return self.values[:, _EMD]


def compare(
    calq: IntArray, extra: Mapping[str, npt.NDArray[Any]], encoders: Sequence[Scheme], options: Options, *,
    progress: Progress | None = None, n_processes: int | None = None, data: str = "",
) -> Comparison:
    """Run all schemes on charges (n, 48) in trigger-cell order.

    extra: further columns of the file, (n,), of which `layer` and `eta` give profiles; data: source of the modules in
    words. Means are over the modules with a cell above `min_charge`, but all rows go through the chip. Needs about
    15 kB of memory per module. Raises InputError if no module is selected or a coordinate is not a number.

    Examples:
        >>> from models.trigger_cells import to_trigger_cells
        >>> from training import generate
        >>> from training.physics import Options, compare
        >>> result = compare(to_trigger_cells(generate(100, seed=1)), {}, [], Options(n_elinks=(5,)))
        >>> result.n_modules, result.budgets
        (100, (5,))
    """
    selected = np.flatnonzero(calq.max(axis=1, initial=0) > options.min_charge)
    if not len(selected):
        raise InputError(f"{counted(len(calq), 'module')}: no module has a cell above {options.min_charge:g} CALQ; "
                         "expected at least one")
    schemes = all_schemes(options, calq, encoders)
    # Schemes of several budgets may share one setting of the chip, which then runs once.
    settings = [(scheme.registers, scheme.spread, scheme.name if scheme.decoder else "") for scheme in schemes]
    unique = list(dict.fromkeys(settings))
    place = [unique.index(setting) for setting in settings]
    received = [schemes[place.index(i)].run(calq) for i in range(len(unique))]
    values = module_metrics(calq[selected].astype(np.float64), received, selected, options.min_charge, progress,
                            n_processes)
    bootstrap = Bootstrap(len(selected), options.n_resamples, options.seed)
    mean, error = bootstrap.mean_and_error(values)
    measured = [_Measured(scheme, received[i], values[:, i], float(mean[i, _EMD]))
                for scheme, i in zip(schemes, place, strict=True)]
    binned = coordinates(calq, extra, selected, options.min_charge)
    profiles = _profiles(values, binned, bootstrap)
    margins = {scheme: margin for n in options.n_elinks for scheme, margin in _margins(measured, n, bootstrap).items()}
    return Comparison(
        data=data, weights={scheme.name: scheme.weights for scheme in encoders},
        n_modules=len(calq), n_selected=len(selected), options=options, metrics=METRICS,
        coordinates=tuple(one.coordinate for one in binned),
        schemes=tuple(
            SchemeResult(**_summary(one, selected), metrics=_distributions_of(one.values, mean[i], error[i]),
                         profiles=profiles[i], margin=margins.get(k))
            for k, (one, i) in enumerate(zip(measured, place, strict=True))),
        displays=tuple(display for n in options.n_elinks for display in _displays(n, measured, calq, selected)),
        sample=_sample(measured, calq, extra, selected, options))


def module_metrics(
    true: FloatArray, received: Sequence[Received], selected: IntArray, min_charge: float,
    progress: Progress | None = None, n_processes: int | None = None,
) -> FloatArray:
    """Metrics of every setting for every selected module, (n, settings, metrics) in the order of METRICS.

    true: charges (n, 48) of the modules `selected` among all those that were `received`.
    """
    distance = np.concatenate(list(_distances(true, received, selected, progress, n_processes)))
    table = np.empty((len(true), len(received), len(METRICS)))
    for i, result in enumerate(received):
        found = event_metrics(true, result.charge[selected], result.module_sum[selected], min_charge)
        found["emd"] = distance[i * len(true) : (i + 1) * len(true)]
        table[:, i] = np.stack([found[name] for name in METRICS], axis=1)
    return table


def _distances(
    true: FloatArray, received: Sequence[Received], selected: IntArray, progress: Progress | None,
    n_processes: int | None,
) -> Iterator[FloatArray]:
    """EMD of all settings, one after the other, many settings per call: starting processes takes time."""
    at_once = max(1, _EMD_BATCH // len(true))
    for first in range(0, len(received), at_once):
        maps = [result.charge[selected] for result in received[first : first + at_once]]
        # Of a truncated frame, a receiver knows only the module sum: a flat map.
        filled = np.concatenate([np.where(charge.any(axis=1, keepdims=True), charge, 1.0) for charge in maps])
        yield emd(np.tile(true, (len(maps), 1)), filled, n_processes, progress)


def _summary(one: _Measured, selected: IntArray) -> dict[str, Any]:
    """Properties of a scheme other than its metrics; rates are over all rows."""
    scheme, received = one.scheme, one.received
    bits = float(received.bits.mean())
    return {
        "name": scheme.name, "algorithm": scheme.algorithm.short_name, "n_elinks": scheme.n_elinks,
        "links_used": scheme.registers.n_elinks, "detail": scheme.detail,
        "bits": bits, "link_occupancy": bits / (32 * scheme.n_elinks), "cut_rate": float(received.cut.mean()),
        "n_empty_output": int((~received.charge[selected].any(axis=1)).sum()),
    }


def _distributions_of(values: FloatArray, mean: FloatArray, error: FloatArray) -> dict[str, Distribution]:
    """Distributions of all metrics of a scheme: values (n, metrics), mean and error (metrics,)."""
    return {name: _distribution(values[:, k], float(mean[k]), float(error[k]), metric)
            for k, (name, metric) in enumerate(METRICS.items())}


def _distribution(values: FloatArray, mean: float, error: float, metric: Metric) -> Distribution:
    there = values[np.isfinite(values)]
    inside = np.clip(there, *metric.span)  # the outermost bins also count values outside
    return Distribution(
        mean=mean, error=error, n=len(there), sigma=float(there.std()) if len(there) else None,
        median=float(np.median(there)) if len(there) else None,
        q68=float(np.quantile(there, 0.68)) if len(there) else None,
        counts=tuple(np.histogram(inside, N_HISTOGRAM_BINS, metric.span)[0].tolist()))


def _profiles(
    values: FloatArray, binned: Sequence[Binned], bootstrap: Bootstrap
) -> list[dict[str, dict[str, Profile]]]:
    """Profiles of each setting: every metric vs. every coordinate."""
    found: list[dict[str, dict[str, Profile]]] = [{} for _ in range(values.shape[1])]
    for one in binned:
        mean, error = profile(values, one.bins, len(one.coordinate.labels), bootstrap)
        for i, profiles in enumerate(found):
            profiles[one.coordinate.name] = {
                name: Profile(mean=tuple(mean[:, i, k].tolist()), error=tuple(error[:, i, k].tolist()))
                for k, name in enumerate(METRICS)}
    return found


def _best_of_each(measured: Sequence[_Measured], n_elinks: int) -> dict[Algorithm, int]:
    """Index of the scheme with the smallest mean EMD of each algorithm on a budget, the best algorithm first."""
    best: dict[Algorithm, int] = {}
    for i in sorted(range(len(measured)), key=lambda i: measured[i].emd_mean):
        if measured[i].scheme.n_elinks == n_elinks:
            best.setdefault(measured[i].scheme.algorithm, i)
    return best


def _margins(measured: Sequence[_Measured], n_elinks: int, bootstrap: Bootstrap) -> dict[int, Margin]:
    """Difference of each contender to the best scheme of a budget, by index of the scheme."""
    winner, *others = _contenders(measured, n_elinks)
    found = {winner: Margin(difference=0.0, error=0.0, tie=False)}
    for i in others:
        # On the same modules, so that its error is smaller than those of both means.
        mean, error = map(float, bootstrap.mean_and_error(measured[i].emd - measured[winner].emd))
        found[i] = Margin(difference=mean, error=error, tie=mean < _SIGMAS * error)
    return found


def _contenders(measured: Sequence[_Measured], n_elinks: int) -> list[int]:
    """Indices of all trained encoders of a budget and of the best scheme of each other algorithm, the best first."""
    best = _best_of_each(measured, n_elinks).values()
    chosen = [(one.emd_mean, i) for i, one in enumerate(measured) if one.scheme.n_elinks == n_elinks
              and (i in best or one.scheme.algorithm is Algorithm.AUTOENCODER)]
    return [i for _, i in sorted(chosen)]


def _displays(
    n_elinks: int, measured: Sequence[_Measured], calq: IntArray, selected: IntArray
) -> Iterator[Display]:
    """Typical and extreme modules of a budget, with the maps of the best scheme of each algorithm."""
    best = {algorithm: measured[i] for algorithm, i in _best_of_each(measured, n_elinks).items()}
    shown = best.get(Algorithm.AUTOENCODER, next(iter(best.values())))
    subject, other = shown.emd, best[Algorithm.BEST_CHOICE].emd
    name = shown.scheme.name
    wanted = [(f"{name}: a typical module", np.argsort(subject)[len(subject) // 2]),
              (f"{name}: the worst module", subject.argmax()), ("BC: the worst module", other.argmax())]
    if shown.scheme.algorithm is Algorithm.AUTOENCODER:
        wanted += [(f"{name}: the largest gain over BC", (other - subject).argmax()),
                   (f"{name}: the largest loss against BC", (subject - other).argmax())]
    reasons: dict[int, list[str]] = {}
    for text, at in wanted:
        reasons.setdefault(int(at), []).append(text)
    for event, texts in reasons.items():
        row, latent = int(selected[event]), shown.received.latent
        yield Display(
            n_elinks=n_elinks, reason="; ".join(texts), row=row, true=tuple(calq[row].tolist()),
            latent=None if latent is None else tuple(latent[row].tolist()), subject=name,
            maps=tuple(Map(scheme=one.scheme.name, algorithm=one.scheme.algorithm.short_name,
                           emd=float(one.emd[event]), charge=tuple(one.received.charge[row].tolist()))
                       for one in best.values()))


def _sample(
    measured: Sequence[_Measured], calq: IntArray, extra: Mapping[str, npt.NDArray[Any]], selected: IntArray,
    options: Options,
) -> Sample:
    """Modules to look at, with the maps of the trained encoders and of the best scheme of each other algorithm."""
    shown = [measured[i] for n in options.n_elinks for i in _contenders(measured, n)]
    places = {name: value for name, (_, value) in coordinate_values(calq, extra, selected, options.min_charge).items()}
    chosen = choose([one.emd for one in shown], list(places.values()))
    rows = selected[chosen]
    return Sample(
        rows=tuple(rows.tolist()), true=_maps(calq[rows]),
        coordinates={name: tuple(value[chosen].astype(np.float64).tolist()) for name, value in places.items()},
        receptions=tuple(
            Reception(scheme=one.scheme.name, algorithm=one.scheme.algorithm.short_name, n_elinks=one.scheme.n_elinks,
                      emd=tuple(one.emd[chosen].tolist()), charge=_maps(one.received.charge[rows]),
                      latent=None if one.received.latent is None else _maps(one.received.latent[rows]))
            for one in shown))


def _maps(charge: npt.NDArray[Any]) -> tuple[tuple[Any, ...], ...]:
    """Rows of an array as tuples."""
    return tuple(map(tuple, charge.tolist()))
