"""Trained runs against one another and against the chip's other algorithms, on the same modules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models import shipped
from models.calq_io import CalqTable
from models.compact_decoder import CompactDecoder
from models.errors import InputError
from models.trigger_cells import CALQ_PER_MIPT, to_trigger_cells
from models.wording import counted
from training.fit.remarks import remarks_on
from training.fit.run import Run
from training.physics.comparison import compare as compare_schemes
from training.physics.emd import Progress
from training.physics.head_to_head import compare_two
from training.physics.schemes import Scheme, compact_autoencoder, load_autoencoder
from training.results.comparison import Comparison, Options
from training.results.head_to_head import HeadToHead

LINKS = (2, 3, 4, 5)
"""Link budgets of a comparison, unless others are asked for."""


def shipped_runs(n_elinks: Sequence[int] | None = None) -> list[Run]:
    """The shipped sets in the chip's arithmetic for these link budgets, by default for all."""
    runs = [Run(shipped.FOLDER / name) for name in shipped.names()]
    return sorted((run for run in runs if run.config.encoder.arithmetic == "chip"
                   and (not n_elinks or run.config.encoder.n_elinks in n_elinks)),
                  key=lambda run: run.config.encoder.n_elinks)


def compare(
    runs: Sequence[Run], modules: CalqTable, n_elinks: Sequence[int] = (), *, decoders: Sequence[Path] = (),
    progress: Progress | None = None, n_processes: int | None = None, **options: Any,
) -> Comparison:
    """Send modules through every algorithm of the chip on every link budget, each run on its own budget.

    n_elinks: link budgets, by default LINKS and those of the runs; decoders: files of compact decoders, each of the
    encoder of one of the runs, which make further schemes; options: further fields of `Options`. Rows are consecutive
    bunch crossings of one chip. Raises InputError if two runs have one name, if a budget leaves a run out, if a decoder
    belongs to none of the runs, or if no module is selected.

    Examples:
        >>> from training import compare
        >>> from training.data.modules import generated_modules
        >>> result = compare([], generated_modules(100, seed=1), n_elinks=(2, 5))  # with runs: [Run("runs/mine"), ...]
        >>> result.budgets, result.scheme("BC", 2).links_used
        ((2, 5), 2)
    """
    encoders = [*(load_autoencoder(run) for run in runs), *(_with_decoder(path, runs) for path in decoders)]
    names = [scheme.name for scheme in encoders]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated:
        raise InputError(f"two runs are called {repeated.removeprefix('AE ')}; give their folders different names")
    budgets = sorted(set(n_elinks or {*LINKS, *(scheme.n_elinks for scheme in encoders)}))
    unused = next((scheme for scheme in encoders if scheme.n_elinks not in budgets), None)
    if unused:
        raise InputError(f"{unused.name} is for {counted(unused.n_elinks, 'link')}, expected one of {budgets} "
                         "as --links")
    extra = {str(name): modules.extra[name].to_numpy() for name in modules.extra.columns}
    found = compare_schemes(to_trigger_cells(modules.calq), extra, encoders,
                            Options(n_elinks=tuple(budgets), **options), progress=progress, n_processes=n_processes,
                            data=modules.source)
    return found.model_copy(update={"remarks": _remarks(runs, modules)})


def head_to_head(
    runs: tuple[Run, Run], samples: Sequence[CalqTable], *, min_charge: float = CALQ_PER_MIPT, seed: int = 1,
    progress: Progress | None = None, n_processes: int | None = None,
) -> HeadToHead:
    """Compare two trained runs module by module on each sample; samples are not pooled.

    Raises InputError if both runs have one name, or if no module of a sample is selected.

    Example: `head_to_head((Run("runs/a"), Run("runs/b")), [run.test]).samples[0].emd.difference`.
    """
    first, second = (load_autoencoder(run) for run in runs)
    if first.name == second.name:
        raise InputError(f"two runs are called {first.name.removeprefix('AE ')}; give their folders different names")
    found = compare_two(first, second, [(one.source, to_trigger_cells(one.calq)) for one in samples],
                        min_charge=min_charge, seed=seed, progress=progress, n_processes=n_processes)
    told = (sample.model_copy(update={"remarks": _remarks(runs, modules)})
            for sample, modules in zip(found.samples, samples, strict=True))
    return found.model_copy(update={"samples": tuple(told)})


def _remarks(runs: Sequence[Run], modules: CalqTable) -> tuple[str, ...]:
    """What has to be said of the modules and of each run, each once."""
    found = (text for run in runs for text in remarks_on(modules, run, run.weights.digest()))
    return tuple(dict.fromkeys(found))


def _with_decoder(path: Path, runs: Sequence[Run]) -> Scheme:
    """AE with a compact decoder and the weights of the run that it belongs to."""
    decoder = CompactDecoder.load(path)
    run = next((one for one in runs if one.weights.digest() == decoder.encoder), None)
    if run is None:
        raise InputError(f"{path}: decoder of the encoder {decoder.encoder}, expected that of a --run")
    return compact_autoencoder(run, decoder, path.stem)
