"""Which algorithm keeps most of a module on a number of links: every scheme on the same rows, as one result.

The result is plain JSON, and all that the report shows of the comparison comes from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import FloatArray, IntArray
from models.chip import Algorithm
from models.errors import InputError
from models.trigger_cells import CALQ_PER_MIPT
from training.physics.emd import Progress, emd
from training.physics.metrics import METRICS, event_metrics
from training.physics.schemes import MIN_THRESHOLD_CALQ, Received, Scheme, classical_schemes, fitted_threshold_sum
from training.physics.statistics import Bootstrap, bin_edges, bin_numbers, profile

_EMD_BATCH = 200_000  # maps per call of the EMD: 80 MB each way
_N_BINS = 8
_HISTOGRAM_BINS = 48
_MAX_LAYERS = 60  # as many different values of a coordinate are shown one by one
_SIGMAS = 3.0  # a smaller difference is called a tie


@dataclass(frozen=True)
class Options:
    """What is compared and how; `max_cut` is the part of the frames that the fitted TS may lose in its buffer."""

    n_elinks: tuple[int, ...] = (2, 3, 4, 5)
    min_charge: float = CALQ_PER_MIPT
    dropped_bits: int = 0
    thresholds: tuple[int, ...] = (MIN_THRESHOLD_CALQ,)
    max_cut: float = 0.001
    n_resamples: int = 200
    seed: int = 1


def all_schemes(options: Options, calq: IntArray, encoders: Sequence[Scheme]) -> list[Scheme]:
    """Every scheme of every budget: AE sets trained for it first, then the classical ones. calq: (n, 48), TC order."""
    schemes = []
    for n_elinks in options.n_elinks:
        schemes += [scheme for scheme in encoders if scheme.n_elinks == n_elinks]
        classical = classical_schemes(n_elinks, options.dropped_bits, options.thresholds)
        classical.insert(len(options.thresholds),
                         fitted_threshold_sum(n_elinks, options.dropped_bits, calq, options.max_cut))
        schemes += classical
    return schemes


def compare(
    calq: IntArray, extra: Mapping[str, npt.NDArray[Any]], encoders: Sequence[Scheme], options: Options,
    progress: Progress | None = None, n_processes: int | None = None,
) -> dict[str, Any]:
    """Run all schemes on charges (n, 48) in trigger-cell order.

    extra: further columns of the file, (n,), of which `layer` and `eta` give profiles. Means are over the modules with
    a cell above `min_charge`; all rows go through the chip. Takes about 15 kB of memory per module. Raises InputError
    if no module is selected or a coordinate is no number.
    """
    selected = np.flatnonzero(calq.max(axis=1, initial=0) > options.min_charge)
    if not len(selected):
        raise InputError(f"{len(calq)} modules, none with a cell above {options.min_charge:g} CALQ: expected more")
    schemes = all_schemes(options, calq, encoders)
    # Schemes of several budgets may be one setting of the chip: it runs once.
    settings = [(scheme.registers, scheme.spread, scheme.name if scheme.decoder else "") for scheme in schemes]
    unique = list(dict.fromkeys(settings))
    place = [unique.index(setting) for setting in settings]
    received = [schemes[place.index(i)].run(calq) for i in range(len(unique))]
    values = _values(calq[selected].astype(np.float64), received, selected, options, progress, n_processes)
    bootstrap = Bootstrap(len(selected), options.n_resamples, options.seed)
    rows = [_summary(scheme, received[i], selected) for scheme, i in zip(schemes, place, strict=True)]
    _add_means(rows, values, place, bootstrap)
    coordinates = _coordinates(calq, extra, selected, options)
    _add_profiles(rows, values, place, coordinates, bootstrap)
    content: dict[str, Any] = _plain({
        "n_modules": len(calq), "n_selected": len(selected), "options": asdict(options),
        "metrics": {name: {**asdict(metric), "edges": np.linspace(*metric.span, _HISTOGRAM_BINS + 1)}
                    for name, metric in METRICS.items()},
        "coordinates": [{name: c[name] for name in ("name", "title", "edges", "labels", "n")} for c in coordinates],
        "schemes": rows,
        "verdict": [_verdict(rows, values, place, n, bootstrap) for n in options.n_elinks],
        "displays": [display for n in options.n_elinks
                     for display in _displays(n, schemes, rows, values, place, received, calq, selected)],
    })
    return content


def _values(
    true: FloatArray, received: Sequence[Received], selected: IntArray, options: Options,
    progress: Progress | None, n_processes: int | None,
) -> FloatArray:
    """Every metric of every setting for every selected module: (n, settings, metrics)."""
    distance = np.concatenate(list(_distances(true, received, selected, progress, n_processes)))
    table = np.empty((len(true), len(received), len(METRICS)))
    for i, result in enumerate(received):
        figures = event_metrics(true, result.charge[selected], result.module_sum[selected], options.min_charge)
        figures["emd"] = distance[i * len(true) : (i + 1) * len(true)]
        table[:, i] = np.stack([figures[name] for name in METRICS], axis=1)
    return table


def _distances(
    true: FloatArray, received: Sequence[Received], selected: IntArray, progress: Progress | None,
    n_processes: int | None,
) -> Iterator[FloatArray]:
    """EMD of all settings, one after the other; a start of processes pays for many settings at a time."""
    at_once = max(1, _EMD_BATCH // len(true))
    for first in range(0, len(received), at_once):
        maps = [result.charge[selected] for result in received[first : first + at_once]]
        # What a receiver knows of a frame that was cut is the module sum: a flat map.
        filled = np.concatenate([np.where(charge.any(axis=1, keepdims=True), charge, 1.0) for charge in maps])
        yield emd(np.tile(true, (len(maps), 1)), filled, n_processes, progress)


def _summary(scheme: Scheme, received: Received, selected: IntArray) -> dict[str, Any]:
    """What is known of a scheme before its metrics; rates are over all rows."""
    return {
        "name": scheme.name, "algorithm": scheme.algorithm.short_name, "n_elinks": scheme.n_elinks,
        "links_used": scheme.registers.n_elinks, "detail": scheme.detail,
        "bits": received.bits.mean(), "link_occupancy": received.bits.mean() / (32 * scheme.n_elinks),
        "cut_rate": received.cut.mean(), "n_empty_output": int((~received.charge[selected].any(axis=1)).sum()),
    }


def _add_means(rows: list[dict[str, Any]], values: FloatArray, place: Sequence[int], bootstrap: Bootstrap) -> None:
    mean, error = bootstrap.mean_and_error(values)
    for row, i in zip(rows, place, strict=True):
        row["metrics"] = {}
        for k, (name, metric) in enumerate(METRICS.items()):
            there = values[:, i, k][np.isfinite(values[:, i, k])]
            inside = np.clip(there, *metric.span)  # what lies outside is counted in the outermost bins
            row["metrics"][name] = {
                "mean": mean[i, k], "error": error[i, k], "n": len(there),
                "sigma": there.std() if len(there) else math.nan,
                "median": np.median(there) if len(there) else math.nan,
                "q68": np.quantile(there, 0.68) if len(there) else math.nan,
                "counts": np.histogram(inside, _HISTOGRAM_BINS, metric.span)[0],
            }


def _coordinates(
    calq: IntArray, extra: Mapping[str, npt.NDArray[Any]], selected: IntArray, options: Options
) -> list[dict[str, Any]]:
    """What profiles are taken against, with the bin of every selected module."""
    chosen = calq[selected]
    found: dict[str, tuple[str, npt.NDArray[Any]]] = {
        "occupancy": (f"cells above {options.min_charge:g} CALQ", (chosen > options.min_charge).sum(axis=1)),
        "module_sum": ("module sum [CALQ]", chosen.sum(axis=1, dtype=np.int64)),
    }
    for name, column in extra.items():
        if str(name).lower() in ("layer", "eta"):
            value = _numbers(str(name), column)[selected]
            found[str(name).lower()] = ("layer", value) if str(name).lower() == "layer" else ("|eta|", np.abs(value))
    third = bin_edges(found["module_sum"][1], 3)
    result = []
    for name, (title, value) in found.items():
        different = np.unique(value)
        one_by_one = name == "layer" and 1 < len(different) <= _MAX_LAYERS
        middles = (different[1:] + different[:-1]) / 2
        edges = bin_edges(value, _N_BINS)
        if one_by_one:
            edges = np.array([different[0] - 0.5, *middles, different[-1] + 0.5])
        if len(edges):
            bins = bin_numbers(value, edges)
            inside = [value[bins == number] for number in range(len(edges) - 1)]
            result.append({"name": name, "title": title, "edges": edges, "bins": bins, "n": [len(v) for v in inside],
                           "labels": [_span(v) for v in inside]})
    if result and result[0]["name"] == "occupancy" and len(third):
        number = bin_numbers(found["module_sum"][1], third)
        for i in range(len(third) - 1):
            bins = np.where(number == i, np.asarray(result[0]["bins"]), -1)
            result.append({**result[0], "name": f"occupancy, sum {third[i]:.0f} to {third[i + 1]:.0f}", "bins": bins,
                           "n": np.bincount(bins[bins >= 0], minlength=len(result[0]["edges"]) - 1)})
    return result


def _span(values: npt.NDArray[Any]) -> str:
    """The values of a bin in words."""
    if not len(values):
        return "none"
    low, high = (f"{end:.4g}" if isinstance(end, float) else str(end) for end in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def _numbers(name: str, column: npt.NDArray[Any]) -> FloatArray:
    """A column of a file as numbers; raises InputError naming the first row that has none."""
    import pandas as pd

    numbers = pd.to_numeric(pd.Series(column), errors="coerce").to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise InputError(f"data row {bad[0] + 1}, column {name}: {str(column[bad[0]])[:40]!r}, expected a number")
    return numbers


def _add_profiles(
    rows: list[dict[str, Any]], values: FloatArray, place: Sequence[int], coordinates: Sequence[Mapping[str, Any]],
    bootstrap: Bootstrap,
) -> None:
    for row in rows:
        row["profiles"] = {}
    for coordinate in coordinates:
        mean, error = profile(values, coordinate["bins"], len(coordinate["edges"]) - 1, bootstrap)
        for row, i in zip(rows, place, strict=True):
            row["profiles"][coordinate["name"]] = {
                name: {"mean": mean[:, i, k], "error": error[:, i, k]} for k, name in enumerate(METRICS)}


def _verdict(
    rows: Sequence[Mapping[str, Any]], values: FloatArray, place: Sequence[int], n_elinks: int, bootstrap: Bootstrap
) -> dict[str, Any]:
    """Who has the smallest mean EMD on a budget, and by how much before the best of every other algorithm."""
    ranked = sorted((row["metrics"]["emd"]["mean"], i) for i, row in enumerate(rows) if row["n_elinks"] == n_elinks)
    best_of: dict[str, int] = {}
    for _, i in ranked:
        best_of.setdefault(rows[i]["algorithm"], i)
    distance = values[:, :, list(METRICS).index("emd")]
    winner, *others = best_of.values()
    margins = []
    for i in others:
        difference = distance[:, place[i]] - distance[:, place[winner]]
        mean, error = bootstrap.mean_and_error(difference)  # of the same modules: smaller than the errors of both
        margins.append({"scheme": i, "behind": mean, "error": error, "tie": bool(mean < _SIGMAS * error)})
    return {"n_elinks": n_elinks, "winner": winner, "others": margins}


def _displays(
    n_elinks: int, schemes: Sequence[Scheme], rows: Sequence[Mapping[str, Any]], values: FloatArray,
    place: Sequence[int], received: Sequence[Received], calq: IntArray, selected: IntArray,
) -> Iterator[dict[str, Any]]:
    """Chosen and worst modules of a budget, with the maps of the best scheme of each algorithm."""
    emd_of = values[:, :, list(METRICS).index("emd")]
    best: dict[Algorithm, int] = {}
    for i in sorted(range(len(rows)), key=lambda i: rows[i]["metrics"]["emd"]["mean"]):
        if schemes[i].n_elinks == n_elinks:
            best.setdefault(schemes[i].algorithm, i)
    shown = best.get(Algorithm.AUTOENCODER, next(iter(best.values())))
    subject, other = emd_of[:, place[shown]], emd_of[:, place[best[Algorithm.BEST_CHOICE]]]
    name = schemes[shown].name
    wanted = [(f"{name}: a typical module", np.argsort(subject)[len(subject) // 2]),
              (f"{name}: the worst module", subject.argmax()), ("BC: the worst module", other.argmax())]
    if schemes[shown].algorithm is Algorithm.AUTOENCODER:
        wanted += [(f"{name}: the largest gain on BC", (other - subject).argmax()),
                   (f"{name}: the largest loss to BC", (subject - other).argmax())]
    reasons: dict[int, list[str]] = {}
    for text, at in wanted:
        reasons.setdefault(int(at), []).append(text)
    for event, texts in reasons.items():
        row = int(selected[event])
        latent = received[place[shown]].latent
        yield {
            "n_elinks": n_elinks, "reason": "; ".join(texts), "row": row, "true": calq[row],
            "latent": None if latent is None else latent[row],
            "subject": shown,
            "maps": [{"scheme": i, "emd": emd_of[event, place[i]], "charge": received[place[i]].charge[row]}
                     for i in best.values()],
        }


def _plain(value: Any) -> Any:
    """Only what JSON has; floats with six digits, NaN as null."""
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
