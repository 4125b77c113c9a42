"""Export for the experiment's software: graphs of all link classes, their configuration, and a check of both.

Everything is made from one `SoftwareTable`, so that bits, graphs and links cannot come apart.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from emulator import encode
from models.arrays import FloatArray, IntArray
from models.calq_io import CalqTable
from models.errors import InputError
from models.files import atomic_directory
from models.spec import EncoderSpec
from models.trigger_cells import CALQ_PER_MIPT, to_trigger_cells
from models.wording import counted
from training.fit.run import Run
from training.networks.decoding import decode
from training.networks.graphs import run_onnx, to_onnx
from training.networks.software import (
    HALF_CALQ,
    N_INPUTS,
    SoftwareDecoder,
    SoftwareEncoder,
    frozen,
    with_sum,
    with_zeros,
)
from training.physics.concentrator import Concentrator, placed, rule_of
from training.physics.emd import emd
from training.physics.evaluation import known_columns
from training.physics.software import (
    FrozenGraph,
    Settings,
    SoftwareCells,
    check_names,
    run_software,
    software_conditions,
)
from training.production.condition_columns import CELLS, condition_columns
from training.results.software import ConcentratorCheck, LinkClass, SoftwareCheck, SoftwareExport, SoftwareTable
from training.studies.software_fragment import FRAGMENT_FILE, INSTALLED, fragment, parameters

# isort: split
import tensorflow as tf

RESULT_FILE = "software.json"
TRITON_FOLDER = "triton"
_ZERO_FRACTIONS = (0.003, 0.002, 0.001, 0.0)
"""Candidates for the smallest cell as a fraction of the module sum: the largest that costs less than `_ZERO_EMD`."""
_ZERO_EMD = 0.005
_N_CHOOSE = 1000  # held-out modules on which it is chosen
_N_CHECK = 10_000
_N_CONCENTRATOR = 2000  # it runs modules one by one
_SAME_CHARGE = 1e-5  # of the module sum: the software keeps a conversion factor in single precision
_ONNX_ERROR = 1e-4  # of the module sum, between the frozen graph and ONNX Runtime
_ONNX_CELLS = 0.01  # modules in which a cell at the threshold, or a floor of a refinement, may go the other way

log = logging.getLogger(__name__)

Tensor = Any


def export_software(
    runs: Sequence[Run], output: Path, samples: Mapping[str, CalqTable] | None = None, installed: str = INSTALLED,
    sources: Path | None = None,
) -> SoftwareExport:
    """Write graphs, a Triton repository of ONNX files, a configuration fragment and the result of the check.

    samples: modules to check with, by name; default: the held-out modules of each run. A shipped set has none: the
    first sample then also chooses its zero threshold. sources: `src` folder of a checkout of the software, whose
    concentrator then runs the graphs too. Raises InputError before anything is written if the runs do not fit together.
    """
    ordered = sorted(runs, key=lambda run: run.weights.spec.n_elinks)
    _check_runs(ordered)
    absolute = any(len(run.decoder.inputs) > 1 for run in ordered)
    if sources and rule_of(sources) == "upstream" and absolute:
        raise InputError(f"{sources}: its concentrator gives decoders the latents alone, but those of these runs see "
                         "the module sum; expected runs with training.decoder.sees_sum=false")
    table = SoftwareTable(classes=tuple(_link_class(run, absolute, samples) for run in ordered),
                          decoder_inputs=N_INPUTS[absolute])
    checks: list[SoftwareCheck] = []
    theirs: list[ConcentratorCheck] = []
    with atomic_directory(output, guarded=True) as folder, tempfile.TemporaryDirectory() as build:
        concentrator = Concentrator(sources, Path(build)) if sources else None
        (folder / FRAGMENT_FILE).write_text(fragment(table, installed, RESULT_FILE), encoding="utf-8")
        for run, one in zip(ordered, table.classes, strict=True):
            _write_graphs(run, one, table, folder)
        check_names([FrozenGraph(folder / one.encoder_file) for one in table.classes])
        check_names([FrozenGraph(folder / one.decoder_file) for one in table.classes])
        for run, one in zip(ordered, table.classes, strict=True):
            for name, modules in (samples or {"held-out modules": run.test}).items():
                checks.append(check(run, one, table, folder, name, modules.rows(slice(0, _N_CHECK))))
                if concentrator:
                    theirs.append(check_concentrator(concentrator, one, table, folder, modules, name))
        result = SoftwareExport(table=table, link_to_graph=table.link_to_graph, bits_per_link=table.bits_per_link,
                                checks=tuple(checks), source=str(concentrator.source) if concentrator else None,
                                concentrator=tuple(theirs))
        result.save(folder / RESULT_FILE)
    return result


def settings_of(table: SoftwareTable) -> Settings:
    """Parameters of the fragment that decoding depends on."""
    return Settings(table.bits_per_link, table.link_to_graph, table.decoder_inputs, not table.absolute)


def check(
    run: Run, one: LinkClass, table: SoftwareTable, folder: Path, name: str, modules: CalqTable
) -> SoftwareCheck:
    """Run the graphs of a class on modules as the software does, and compare with the emulator and our decoder."""
    encoder, decoder = FrozenGraph(folder / one.encoder_file), FrozenGraph(folder / one.decoder_file)
    modules = modules.rows(np.flatnonzero(modules.calq.any(axis=1)))
    calq = modules.calq
    if not len(calq):
        raise InputError(f"{modules.source}: no module with charge to check with")
    latent, module_sum = _latents(run, calq)
    columns = known_columns(run.config, modules.extra)
    fractions = decode(run.decoder, latent, module_sum, columns)
    settings = settings_of(table)

    def sent(preserve: bool = settings.preserve_module_sum, whole: bool = False) -> SoftwareCells:
        return run_software(encoder, decoder, calq, one.n_elinks, replace(settings, preserve_module_sum=preserve),
                            columns=columns, valid=columns.get(CELLS), integer_division=whole)

    found, fixed = sent(), sent(preserve=True)
    cells = to_trigger_cells(calq)
    divided = {"waferu", "waferv", "layer"} & set(run.config.training.decoder.conditions)
    whole = float(np.nanmean(emd(cells, sent(whole=True).charge))) if divided else None
    total = float(module_sum.sum())
    return SoftwareCheck(
        name=one.name, data=name, n_modules=len(calq), n_latents_differ=int((found.latent != latent).any(axis=1).sum()),
        cells_true=float((cells > 0).sum(axis=1).mean()), cells=float((found.charge > 0).sum(axis=1).mean()),
        energy=float(found.charge.sum()) / total, energy_fixed_sum=float(fixed.charge.sum()) / total,
        emd_own=float(np.nanmean(emd(cells, fractions))), emd=float(np.nanmean(emd(cells, found.charge))),
        emd_whole_conditions=whole)


def check_concentrator(
    concentrator: Concentrator, one: LinkClass, table: SoftwareTable, folder: Path, modules: CalqTable, name: str
) -> ConcentratorCheck:
    """Run the graphs of a class on the first modules in the C++ of a checkout, and compare with the stand-in for it."""
    modules = modules.rows(np.flatnonzero(modules.calq.any(axis=1))[:_N_CONCENTRATOR])
    columns = placed(condition_columns(modules.extra), len(modules.calq))
    calq, n_links, rule, valid = modules.calq, one.n_elinks, concentrator.rule, columns.get(CELLS)
    pairs = [(folder / each.encoder_file, folder / each.decoder_file) for each in table.classes]
    # Some versions fill the encoder's input only if they also print it.
    found = concentrator.run(pairs, parameters(table) | {"verbose": 1}, calq, n_links, columns=columns, valid=valid)
    encoder, decoder = (FrozenGraph(path) for path in pairs[table.link_to_graph[n_links]])
    expected = run_software(encoder, decoder, calq, n_links, settings_of(table), rule, columns=columns, valid=valid,
                            integer_division=False)
    cells = to_trigger_cells(calq)
    module_sum = cells.sum(axis=1) / (1 if rule == "fork" else CALQ_PER_MIPT)
    differ = np.abs(found.charge - expected.charge) > _SAME_CHARGE * module_sum[:, None]
    return ConcentratorCheck(
        name=one.name, data=name, rule=rule, n_modules=len(cells),
        n_latents_differ=int((found.latent != expected.latent).any(axis=1).sum()),
        n_cells_differ=int(differ.any(axis=1).sum()), energy=float(found.charge.sum() / module_sum.sum()),
        energy_expected=float(expected.charge.sum() / module_sum.sum()),
        emd=float(np.nanmean(emd(cells, found.charge))), emd_expected=float(np.nanmean(emd(cells, expected.charge))))


def _check_runs(runs: Sequence[Run]) -> None:
    for run in runs:
        spec = run.weights.spec
        if spec.dense.outputs != 16 or spec.input.fraction_bits != 7 or spec.latent.integer_bits != 1:  # noqa: PLR2004
            raise InputError(f"{run.folder}: {spec.dense.outputs} latents of {spec.latent} from an input of "
                             f"{spec.input}; the software takes 16 latents of one integer bit from U1.7")
    for first, second in pairwise(runs):
        if first.weights.spec.n_elinks == second.weights.spec.n_elinks:
            raise InputError(f"{second.folder}: for {counted(second.weights.spec.n_elinks, 'link')}, as "
                             f"{first.folder}; expected one run per number of links")
    names = [run.config.name for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"configuration {name} is that of two runs; graphs are named after it, so expected "
                             "different names (--set name=... at the training)")


def _link_class(run: Run, absolute: bool, samples: Mapping[str, CalqTable] | None) -> LinkClass:
    spec = run.weights.spec
    modules = next(iter(samples.values())) if run.is_shipped and samples else run.test
    return LinkClass(name=run.config.name, run=str(run.folder), weights=run.weights.digest(), n_elinks=spec.n_elinks,
                     bits=spec.latent_bits, zero_fraction=_choose_zero_fraction(run, absolute, modules))


def _choose_zero_fraction(run: Run, absolute: bool, modules: CalqTable) -> float:
    """Largest candidate that keeps the mean EMD of the first modules with charge."""
    modules = modules.rows(np.flatnonzero(modules.calq.any(axis=1))[:_N_CHOOSE])
    calq = modules.calq
    if not len(calq):
        return 0.0
    latent, module_sum = _latents(run, calq)
    fractions = decode(run.decoder, latent, module_sum, known_columns(run.config, modules.extra))
    total = module_sum[:, None].astype(np.float32)
    cells = to_trigger_cells(calq)
    own = np.nanmean(emd(cells, fractions))
    for candidate in _ZERO_FRACTIONS:
        if absolute:
            less = with_sum(tf.constant(fractions * total), tf.constant(total), candidate).numpy()
            map_ = np.where(less > 0, less + HALF_CALQ, 0.0)
        else:
            map_ = with_zeros(tf.constant(fractions), candidate).numpy()
        if np.nanmean(emd(cells, map_)) <= own + _ZERO_EMD:
            return candidate
    log.warning("%s: no zero threshold keeps the EMD of the decoder; its graph drops only cells below half a CALQ",
                run.folder)
    return 0.0


def _latents(run: Run, calq: IntArray) -> tuple[FloatArray, IntArray]:
    trace = encode(run.weights, calq, keep=["module_sum", "latent_code"])
    return run.weights.spec.latent.value(trace["latent_code"]), trace["module_sum"]


def _write_graphs(run: Run, one: LinkClass, table: SoftwareTable, folder: Path) -> None:
    """Write both graphs of a class as frozen graph, as ONNX and for Triton, and compare the formats."""
    spec: EncoderSpec = run.weights.spec
    encoder = SoftwareEncoder(spec, run.weights)
    decoder = SoftwareDecoder(run.decoder, table.decoder_inputs, one.zero_fraction)
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (256, 8, 8, 1)) / 128
    module_sum = np.exp(rng.uniform(1, 10, 256)).astype(np.int64)
    latent = spec.latent.value(rng.integers(0, 1 << spec.latent_bits, (256, spec.dense.outputs)))
    inputs = np.concatenate([latent, software_conditions(module_sum, {})], axis=1)[:, : table.decoder_inputs]
    scale: FloatArray = module_sum.astype(np.float64) if table.absolute else np.ones(len(module_sum))
    for module, file, values, kind in ((encoder, one.encoder_file, image, "encoder"),
                                       (decoder, one.decoder_file, inputs, "decoder")):
        definition = frozen(module)
        (folder / file).write_bytes(definition.SerializeToString())
        found = FrozenGraph(folder / file).run(values)
        model = folder / TRITON_FOLDER / f"{one.name}_{kind}"
        (model / "1").mkdir(parents=True)
        path = model / "1" / "model.onnx"
        path.write_bytes(to_onnx(definition, module.signature, module.names[1]))
        other = run_onnx(path, module.signature, [tf.constant(values, tf.float32)], module.names[1])
        _check_onnx(path, found, other, scale if kind == "decoder" else None,
                    bool(run.config.training.decoder.refinements))
        (model / "config.pbtxt").write_text(_triton_config(f"{one.name}_{kind}", module, found.shape[1]),
                                            encoding="utf-8")


def _check_onnx(
    path: Path, expected: FloatArray, found: FloatArray, scale: FloatArray | None, refines: bool = False
) -> None:
    """Raise RuntimeError unless ONNX gives the latents bit for bit, and the charges except where they jump.

    They jump at the zero threshold; those of a decoder that refines also with the codes that it makes of its own map.
    """
    if scale is None:
        equal = np.array_equal(found, expected)
    else:
        same = ((found > 0) == (expected > 0)).all(axis=1)
        close = (np.abs(found - expected) <= _ONNX_ERROR * scale[:, None]).all(axis=1)
        jumped = ~(same & close) if refines else ~same
        equal = bool((close | jumped).all()) and int(jumped.sum()) <= _ONNX_CELLS * len(same)
    if not equal:
        raise RuntimeError(f"{path}: its outputs, after reading it back, differ from those of the frozen graph")


def _triton_config(name: str, module: SoftwareEncoder | SoftwareDecoder, n_outputs: int) -> str:
    dims = ", ".join(map(str, module.signature[0].shape[1:]))
    return f"""name: "{name}"
platform: "onnxruntime_onnx"
max_batch_size: 16384
input [ {{ name: "{module.names[0]}" data_type: TYPE_FP32 dims: [ {dims} ] }} ]
output [ {{ name: "{module.names[1]}" data_type: TYPE_FP32 dims: [ {n_outputs} ] }} ]
dynamic_batching {{ }}
"""


