"""Every reader of a file that a user hands over: how to read it, and a small good file to begin with."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.fuzz.mutations import Arrays, Pick, edit_arrays, edit_bytes, edit_words, edit_zip
from bitexact_tests.samples.results import chip_synthesis
from bitexact_tests.samples.runs import dataset_of
from bitexact_tests.samples.vendor_reports import CATAPULT, CSYNTH, TIMING, UTILIZATION
from emulator.links import ERX, ETX, LinkFile
from hls.vendor_reports import read_catapult, read_csynth, read_vivado
from models import register_file
from models.calq_io import CALQ_COLUMNS, read_calq
from models.chip import Revision
from models.config import Config
from models.dialects import Dialect
from models.errors import InputError
from models.files import read_json
from models.keras_file import import_keras
from models.register_weights import for_encoder, load_weights
from models.registers import Registers
from models.weights import EncoderWeights
from rtl.mapping.gates import Netlist
from rtl.results import ChipSynthesis
from training.losses import learned_file as emd_loss_file
from training.production import ntuple
from training.production.allocation import ModuleLinks
from training.production.farm import FarmConfig
from training.production.pythia_events import stored
from training.production.stream import read_tables
from training.production.toy import generate

CONFIG = REPOSITORY / "configs" / "econ_t_5elink.yaml"
_EDITS = {".npz": edit_zip, **dict.fromkeys(
    (".csv", ".yaml", ".json", ".netlist", ".xml", ".rpt"), edit_words)}
"""By what the suffix says of a file; others are bytes."""


@dataclass(frozen=True, eq=False)
class Reader:
    """A reader, and what writes a good file for it; `arrays`, if any, are what that file holds."""

    read: Callable[[Path], object]
    suffix: str
    write: Callable[[Path, Arrays], object]
    arrays: Arrays = field(default_factory=dict)

    @cached_property
    def good(self) -> bytes:
        """The bytes of the good file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"good{self.suffix}"
            self.write(path, self.arrays)
            return path.read_bytes()

    def mutate(self, path: Path, pick: Pick) -> bool:
        """Write a changed file; False if its format has no way to say such a thing."""
        if self.arrays and pick(2):
            try:
                self.write(path, edit_arrays(self.arrays, pick))
            except Exception:  # whatever the library that writes has against such arrays
                return False
        else:
            edit = _EDITS.get(self.suffix)
            path.write_bytes((edit if edit and pick(4) else edit_bytes)(self.good, pick))
        return True

    def check(self, path: Path) -> bool:
        """Whether a file is good; anything but a result or an InputError in one line that names it is a failure."""
        try:
            self.read(path)
        except InputError as error:
            text = str(error)
            assert "\n" not in text, f"not one line: {text!r}"
            assert len(text) < 1000, f"{len(text)} characters: {text[:200]!r}"
            assert str(path) in text, f"does not name the file: {text!r}"
            return False
        return True


def _text(content: str) -> Callable[[Path, Arrays], object]:
    return lambda path, _: path.write_text(content, encoding="utf-8")


def _write_npz(path: Path, arrays: Arrays) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _write_csv(path: Path, arrays: Arrays) -> None:
    pd.DataFrame(arrays).to_csv(path, index=False)


def _write_parquet(path: Path, arrays: Arrays) -> None:
    pa_parquet.write_table(pa.table({name: pa.array(values) for name, values in arrays.items()}), path)


def _write_h5(path: Path, arrays: Arrays) -> None:
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values


LAYERS: dict[str, Any] = {"class_name": "Sequential", "config": {"name": "encoder", "layers": [
    {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 8, 8, 1], "name": "image"}},
    {"class_name": "QConv2D", "config": {
        "name": "conv", "filters": 8, "kernel_size": [3, 3], "strides": [2, 2], "padding": "same",
        "kernel_quantizer": "quantized_bits(6,0,alpha=1)", "bias_quantizer": "quantized_bits(6,0,alpha=1)"}},
    {"class_name": "BatchNormalization", "config": {"name": "norm", "epsilon": 0.001}},
    {"class_name": "QActivation", "config": {"name": "hidden", "activation": "quantized_relu(8,1)"}},
    {"class_name": "Flatten", "config": {"name": "flatten", "data_format": "channels_last"}},
    {"class_name": "Dense", "config": {"name": "dense", "units": 16, "activation": "relu"}},
]}}


def _norm() -> Arrays:
    return {name: np.ones(8, np.float32) for name in ("gamma", "beta", "moving_mean", "moving_variance")}


def _write_full_h5(path: Path, arrays: Arrays) -> None:
    _write_h5(path, arrays)
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(LAYERS)


def _write_archive(path: Path, _: Arrays) -> None:
    weights = EncoderWeights.random(Config.load(CONFIG).encoder, 3).values()
    inner = path.with_suffix(".inner")
    groups = {"q_conv2d": [weights["conv_kernel"], weights["conv_bias"]], "batch_normalization": [*_norm().values()],
              "dense": [weights["dense_kernel"], weights["dense_bias"]]}
    _write_h5(inner, {f"layers/{group}/vars/{number}": array.astype(np.float32)
                      for group, arrays in groups.items() for number, array in enumerate(arrays)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(LAYERS))
        archive.write(inner, "model.weights.h5")


def _write_root(path: Path, arrays: Arrays) -> None:
    """Two events, each with half of every array."""
    import awkward as ak
    import uproot

    jagged = {name: ak.unflatten(ak.from_numpy(values), [len(values) // 2, len(values) - len(values) // 2])
              for name, values in arrays.items()}
    with uproot.recreate(path) as file:
        file.mktree(ntuple.TREE, jagged)


def _rows(n: int = 4) -> Arrays:
    rng = np.random.default_rng(1)
    charges = {name: rng.integers(0, 3000, n).astype(np.uint32) for name in CALQ_COLUMNS}
    return charges | {"entry": np.arange(n), "layer": np.full(n, 9), "waferu": np.arange(n), "waferv": np.zeros(n, int),
                      "SimEnergyFraction": rng.random(n)}


def _cells(n: int = 8) -> Arrays:
    cells = {name: np.ones(n, np.int32) for name in ntuple.PLACE} | {"tc_cellu": np.arange(n, dtype=np.int32) % 4}
    return cells | {"tc_cellv": np.zeros(n, np.int32), "tc_uncompressedCharge": np.arange(n, dtype=np.uint32),
                    "tc_simenergy": np.ones(n, np.float32), "tc_eta": np.full(n, 1.7, np.float32),
                    "tc_wafertype": np.zeros(n, np.int32), "tc_subdet": np.ones(n, np.int32)}


def _links(links: LinkFile) -> str:
    words = np.random.default_rng(2).integers(0, 1 << 32, (5, links.n_links)).astype(np.uint32)
    return links.header() + links.rows(words)


def _particles(n: int = 3) -> Arrays:
    flat = {"event": np.arange(n), "pdg_id": np.full(n, 22), "side": np.ones(n, int), "charged": np.zeros(n, bool)}
    return flat | {"position": np.ones((n, 2)), "direction": np.ones((n, 2)), "energy": np.ones(n)}


def _write_netlist(path: Path, _: Arrays) -> None:
    ports = {"a": ("input", 2), "y": ("output", 3)}
    cell = {"type": "$_NOT_", "connections": {"A": [2], "Y": [3]}}
    module = {"ports": {name: {"direction": kind, "bits": [bit]} for name, (kind, bit) in ports.items()},
              "cells": {"gate": cell}}
    # A file is called as its module is.
    path.write_text(json.dumps({"modules": dict.fromkeys(("good", "changed", "mutated"), module)}), encoding="utf-8")


def _beside(path: Path, content: str) -> Path:
    """A good file in the folder of another one."""
    other = path.with_name("beside.rpt")
    other.write_text(content, encoding="utf-8")
    return other


# TensorFlow is imported when one of these is read, not for all the others.
def _read_decoder(path: Path) -> object:
    from training.networks.decoding import load_decoder

    return load_decoder(path, Config.load(CONFIG).encoder)


def _quantised_network() -> Config:
    return Config.load(CONFIG).override(training={"network": "8x8_c8_pool_tele_quantized"})


def _read_network(path: Path) -> object:
    from training.networks.keras_encoder import load

    return load(path, _quantised_network())


def _write_network(path: Path, _: Arrays) -> None:
    from training.networks.keras_encoder import training_encoder

    training_encoder(_quantised_network()).codes().save(path)


@cache
def _trainer() -> Any:
    from training.fit.trainer import Trainer

    config = Config.load(CONFIG).override(training={
        "batch_size": 16, "epochs": 1, "decoder": {"width": 4, "layers": 1}, "augment": {"generated": 0.0}})
    return Trainer.from_config(config, dataset_of(config, generate(64, 1), 32))


def _restore(path: Path) -> None:
    # It says so and starts again: to begin anew is its way to refuse.
    from training.fit.checkpoint import Checkpoint

    if not Checkpoint(path, "fingerprint").restore(_trainer()):
        raise InputError(f"{path}: not restored")


def _write_checkpoint(path: Path, _: Arrays) -> None:
    from training.fit.checkpoint import Checkpoint

    Checkpoint(path, "fingerprint").save(_trainer())


@cache
def catalogue() -> dict[str, Reader]:
    """All readers by name."""
    config = Config.load(CONFIG)
    weights = EncoderWeights.random(config.encoder, 3)
    npz = {"digest": np.array(config.encoder.digest()), "formats": np.array("{}"), **weights.arrays}
    size = np.array(json.dumps(asdict(emd_loss_file.SIZES[0])))
    emd_loss = {"size": size, "weights": np.linspace(-1, 1, 9, dtype=np.float32)}
    options = {"latents": config.encoder.dense.outputs, "width": 4, "layers": 1, "sees_sum": True, "members": 1}
    decoder = {"size": np.array(json.dumps(options)), "weights": np.linspace(-1, 1, 316, dtype=np.float32)}
    keras = {f"encoder/{name}": values.astype(np.float32) for name, values in weights.values().items()}
    full = {f"model_weights/{name.replace('_', '/')}": values.astype(np.float32)
            for name, values in weights.values().items()}
    full |= {f"model_weights/norm/{name}": array for name, array in _norm().items()}
    calq = [f"{','.join(CALQ_COLUMNS)}\n", *(f"{','.join(map(str, range(row, row + 48)))}\n" for row in range(3))]
    links = "Layer,ModU,ModV,ECONT_eTX,ModType\n9,1,2,5,F\n9,1,3,5,a\n10,0,1,2,F\n"
    registers = for_encoder(weights)
    register_text = _text(register_file.as_text(registers.memory, registers.given))
    production = registers.converted(Revision.PRODUCTION)
    flat_text = _text(register_file.as_text(production.memory, production.given, Dialect.PRODUCTION))
    config_text = _text(CONFIG.read_text(encoding="utf-8"))
    history = json.dumps({"loss": [1.0, 2.5], "x": {"y": None}})

    def spec_of(reader: Callable[..., object]) -> Callable[[Path], object]:
        return lambda path: reader(path, config.encoder)

    return {
        "calq_csv": Reader(read_calq, ".csv", _text("".join(calq))),
        "calq_columns": Reader(partial(read_calq, nrows_per_file=2), ".csv", _write_csv, _rows()),
        "calq_gzip": Reader(read_calq, ".csv.gz", _write_csv, _rows()),
        "calq_parquet": Reader(read_calq, ".parquet", _write_parquet, _rows()),
        "stream_csv": Reader(lambda path: list(read_tables([path])), ".csv", _write_csv, _rows()),
        "stream_gzip": Reader(lambda path: list(read_tables([path])), ".csv.gz", _write_csv, _rows()),
        "stream_parquet": Reader(lambda path: list(read_tables([path])), ".parquet", _write_parquet, _rows()),
        "module_list": Reader(ModuleLinks.read, ".csv", _text(links)),
        "erx": Reader(ERX.read_all, ".csv", _text(_links(ERX))),
        "etx": Reader(ETX.read_all, ".csv", _text(_links(ETX))),
        "config": Reader(Config.load, ".yaml", config_text),
        "farm": Reader(FarmConfig.load, ".yaml", _text("cluster: htcondor\nn_workers: 4\noptions: {queue: x}\n")),
        "registers": Reader(Registers.load, ".yaml", register_text),
        "registers_production": Reader(Registers.load, ".yaml", flat_text),
        "register_weights": Reader(spec_of(load_weights), ".yaml", register_text),
        "weights": Reader(spec_of(EncoderWeights.load), ".npz", _write_npz, npz),
        "emd_loss": Reader(emd_loss_file.read, ".npz", _write_npz, emd_loss),
        "keras": Reader(spec_of(import_keras), ".h5", _write_h5, keras),
        "keras_model": Reader(spec_of(import_keras), ".h5", _write_full_h5, full),
        "keras_archive": Reader(spec_of(import_keras), ".keras", _write_archive),
        "ntuple": Reader(lambda path: list(ntuple.read_modules(path)), ".root", _write_root, _cells()),
        "result": Reader(ChipSynthesis.load, ".json", _text(chip_synthesis(config.encoder).model_dump_json(indent=1))),
        "json": Reader(partial(read_json, keys=("loss",)), ".json", _text(history)),
        "netlist": Reader(lambda path: Netlist.load(path.parent, path.stem), ".netlist", _write_netlist),
        "csynth": Reader(read_csynth, ".xml", _text(CSYNTH)),
        "vivado_utilization": Reader(lambda path: read_vivado(path, _beside(path, TIMING)), ".rpt", _text(UTILIZATION)),
        "vivado_timing": Reader(lambda path: read_vivado(_beside(path, UTILIZATION), path), ".rpt", _text(TIMING)),
        "catapult": Reader(read_catapult, ".rpt", _text(CATAPULT)),
        "collisions": Reader(stored, ".npz", _write_npz, _particles()),
        "decoder": Reader(_read_decoder, ".npz", _write_npz, decoder),
        "network": Reader(_read_network, ".npz", _write_network),
        "checkpoint": Reader(_restore, ".npz", _write_checkpoint),
    }
