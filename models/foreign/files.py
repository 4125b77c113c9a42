"""What kind of file holds an encoder, by its content, and what is in it.

A file that says its architecture gives a `Network`; one of arrays alone gives those by name, unless the architecture is
in a JSON or YAML file beside it.
"""

from __future__ import annotations

import errno
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import yaml

from models.arrays import FloatArray
from models.errors import InputError, parsing
from models.foreign.architecture import Node, encoder_nodes, inner_layers, input_shape
from models.foreign.keras_arrays import ArraysOf, arrays_by_layer, read_arrays
from models.foreign.layers import Layer, Network
from models.foreign.pickled import read_pickle
from models.trigger_cells import IMAGE_SIZE

EXPECTED = ("a Keras model (.h5, .hdf5, .keras), its weights (.weights.h5) with or without its architecture (.json, "
            ".yaml), a SavedModel folder, a frozen graph (.pb) or a pickle of arrays (.pkl)")
_MAX_BYTES = 1 << 28
_MAX_TEXT = 1 << 22
_MAX_BESIDE = 100
_ARCHITECTURE = (".json", ".yaml", ".yml")
_PICKLES = (".pkl", ".pickle")
_NOT_ENCODER = ("decod", "transpose", "conv2d_t")


def open_encoder(path: Path, architecture: Path | None, n_outputs: int) -> Network | dict[str, FloatArray]:
    """The encoder's network, or the arrays of a file that says no architecture.

    Raises InputError naming the file and what is wrong, FileNotFoundError if it is not there.
    """
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if path.is_dir() or path.name == "saved_model.pb":
        return _open_folder(path if path.is_dir() else path.parent, n_outputs)
    with path.open("rb") as file:
        start = file.read(8)
    if start == b"\x89HDF\r\n\x1a\n":
        return _open_hdf5(path, architecture, n_outputs)
    if start[:2] == b"PK":
        return _open_archive(path, n_outputs)
    if path.suffix in _PICKLES:
        return _without_decoder(read_pickle(path))
    if path.suffix in _ARCHITECTURE:
        raise InputError(f"{path} holds an architecture without weights; expected the weights (.h5) as --input, "
                         "and this file as --architecture")
    if path.suffix == ".pb":
        from models.foreign.qkeras_graph import read_graph  # TensorFlow, which reads the file: seconds

        return read_graph(path)
    if path.suffix in (".h5", ".hdf5", ".keras"):
        raise InputError(f"{path}: not readable as {'HDF5' if path.suffix != '.keras' else 'a .keras archive'}, "
                         f"expected {EXPECTED}")
    raise InputError(f"{path}: unknown kind of file, expected {EXPECTED}")


def _open_folder(path: Path, n_outputs: int) -> Network | dict[str, FloatArray]:
    if not (path / "saved_model.pb").exists():
        raise InputError(f"{path}: a folder without saved_model.pb, expected {EXPECTED}")
    from models.foreign.qkeras_saved_model import read_saved_model  # TensorFlow

    found = read_saved_model(path)
    if isinstance(found, dict):
        return found
    model, places = found
    nodes = encoder_nodes(str(path), model, n_outputs)
    return network(nodes, lambda node: places.get(node.path, {}), "the model in the folder")


def _open_archive(path: Path, n_outputs: int) -> Network:
    with parsing(path, "a .keras archive"), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "config.json" not in names or "model.weights.h5" not in names:
            raise InputError(f"{path}: a zip archive without config.json and model.weights.h5, expected {EXPECTED}")
        if sum(entry.file_size for entry in archive.infolist()) > _MAX_BYTES:
            raise InputError(f"{path}: over {_MAX_BYTES} bytes unpacked, expected an encoder")
        model = json.loads(archive.read("config.json"))
        with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as file:
            arrays = read_arrays(str(path), file)
    return keras_network(path, model, arrays, n_outputs, "the model in the file")


def _open_hdf5(path: Path, architecture: Path | None, n_outputs: int) -> Network | dict[str, FloatArray]:
    with parsing(path, "HDF5"), h5py.File(path, "r") as file:
        arrays = read_arrays(str(path), file)
        text = file.attrs.get("model_config")
        model = None if text is None else json.loads(text if isinstance(text, str) else bytes(text).decode())
    source = "the model in the file"
    if architecture is not None or model is None:
        beside = architecture or architecture_beside(path)
        if beside is None:
            return _without_decoder(arrays)
        model, source = read_architecture(beside), str(beside)
    return keras_network(path, model, arrays, n_outputs, source)


def _without_decoder(arrays: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    return {name: array for name, array in arrays.items() if not any(word in name.lower() for word in _NOT_ENCODER)}


def keras_network(
    path: Path, model: Mapping[str, Any], arrays: Mapping[str, FloatArray], n_outputs: int, source: str
) -> Network:
    """The encoder in a Keras model, with the arrays of its layers out of an HDF5 file."""
    nodes = encoder_nodes(str(path), model, n_outputs)
    return network(nodes, arrays_by_layer(str(path), arrays, model), source)


def network(nodes: list[Node], arrays: ArraysOf, source: str) -> Network:
    """Layers of an encoder with their arrays."""
    layers = tuple(Layer(node.kind, node.path[-1], node.config, arrays(node)) for node in nodes)
    shape = input_shape(nodes)
    if shape is None:
        first = any(layer.config.get("data_format") == "channels_first" for layer in layers)
        shape = (1, IMAGE_SIZE, IMAGE_SIZE) if first else (IMAGE_SIZE, IMAGE_SIZE, 1)
    return Network(layers, shape, source)


def read_architecture(path: Path) -> dict[str, Any]:
    """A Keras model's architecture in JSON or YAML; raises InputError if the file holds none."""
    with parsing(path, "JSON" if path.suffix == ".json" else "YAML"):
        text = path.read_text(encoding="utf-8")
        model = json.loads(text) if path.suffix == ".json" else _Loader(text).get_single_data()
    if not isinstance(model, dict) or "class_name" not in model or inner_layers(model) is None:
        raise InputError(f"{path}: not the architecture of a Keras model, expected the keys class_name and config")
    return model


class _Loader(yaml.SafeLoader):
    """Plain data, and the tuples of older Keras files, which are lists here."""


def _tuple(loader: _Loader, node: Any) -> list[Any]:
    return loader.construct_sequence(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:python/tuple", _tuple)


def architecture_beside(path: Path) -> Path | None:
    """The architecture file in the same folder: the one of the same name, else the only one there is."""
    found = []
    for file in sorted(path.parent.iterdir())[:_MAX_BESIDE]:
        if file.suffix in _ARCHITECTURE and file.is_file() and file.stat().st_size <= _MAX_TEXT:
            try:
                read_architecture(file)
            except (InputError, OSError):
                continue  # JSON and YAML are of anything
            found.append(file)
    named = [file for file in found if _root(file) == _root(path)]
    if named or not found:
        return named[0] if named else None
    return found[0] if len(found) == 1 else None


def _root(path: Path) -> str:
    """The name of a file without what says that it holds weights or an architecture."""
    name = path.name.lower()
    for suffix in (*_ARCHITECTURE, ".h5", ".hdf5", ".weights"):
        name = name.removesuffix(suffix)
    words = [word for word in name.replace("-", "_").replace(".", "_").split("_")
             if word not in ("w", "weights", "weight", "model", "config", "architecture", "arch")]
    return "_".join(words)
