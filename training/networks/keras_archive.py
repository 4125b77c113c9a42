"""Models in `.keras` files: what a file may name and how large it may be is checked before Keras builds anything."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.errors import InputError, parsing
from models.files import atomic_path

# isort: split
import tf_keras

_FILES = {"metadata.json", "config.json", "model.weights.h5"}
_MOST_BYTES = 4 << 30
_MOST_CONFIG_BYTES = 16 << 20
# Keras imports whatever module a file names, and has layers that call any function of TensorFlow (TFOpLambda). These
# are all classes that decoders and encoders are made of.
_CLASSES = {
    "keras.layers": {"Add", "Average", "Concatenate", "Conv2D", "Dense", "Flatten", "InputLayer", "MaxPooling2D",
                     "ReLU", "Softmax"},
    "keras.initializers": {"GlorotUniform", "HeUniform", "Zeros"},
    "tf_keras.src.engine.functional": {"Functional"},
    "qkeras.qconvolutional": {"QConv2D"},
    "qkeras.qlayers": {"Clip", "QActivation", "QDense", "QInitializer"},
    "qkeras.quantizers": {"quantized_bits"},
}


def load_model(path: Path, what: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """Read a tf_keras model; raises InputError naming `what` it was to be if the file is not such a model."""
    with parsing(path, what):
        _check(path)
        return tf_keras.models.load_model(path, custom_objects=custom_objects, compile=False, safe_mode=True)


def save_model(model: Any, path: Path) -> None:
    """Write a `.keras` file: JSON and HDF5 in a zip, no code and no pickle in it; equal models give equal bytes."""
    with atomic_path(path) as temporary:
        model.save(temporary, save_format="keras")
        with zipfile.ZipFile(temporary) as archive:
            content = {name: archive.read(name) for name in sorted(archive.namelist())}
        # Keras notes when it saved, in the metadata and as the time of a file in the zip.
        metadata = json.loads(content["metadata.json"])
        metadata.pop("date_saved", None)
        content["metadata.json"] = json.dumps(metadata).encode()
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, data in content.items():
                archive.writestr(zipfile.ZipInfo(name), data)


def _check(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: entry.file_size for entry in archive.infolist()}
        if set(entries) != _FILES or len(archive.infolist()) != len(_FILES):
            raise InputError(f"{path}: holds {', '.join(sorted(entries)[:5])}, expected {', '.join(sorted(_FILES))}")
        if sum(entries.values()) > _MOST_BYTES or entries["config.json"] > _MOST_CONFIG_BYTES:
            raise InputError(f"{path}: {sum(entries.values())} bytes unpacked, {entries['config.json']} of them "
                             f"config.json, expected at most {_MOST_BYTES} and {_MOST_CONFIG_BYTES}")
        content = json.loads(archive.read("config.json"))
    for item in _objects(content):
        module, name = str(item.get("module")), str(item["class_name"])
        # Where Keras knows the registered name, it takes that class instead.
        if name not in _CLASSES.get(module, ()) or item.get("registered_name") not in (None, name):
            raise InputError(f"{path}: config.json names {name[:40]!r} of module {module[:40]!r}, registered as "
                             f"{str(item.get('registered_name'))[:40]!r}, expected a class of decoders or encoders")
    sizes = list(_sizes(content))
    # A layer has at most as many weights as its size times the largest size.
    if 4 * sum(sizes) * max(sizes, default=0) > _MOST_BYTES:
        raise InputError(f"{path}: layers of up to {max(sizes)}, {sum(sizes)} in all, expected a model of at most "
                         f"{_MOST_BYTES} bytes")


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every class that a configuration names."""
    if isinstance(node, dict) and "class_name" in node:
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _objects(child)


def _sizes(node: Any) -> Iterator[int]:
    """Every whole number of a configuration that may be a size."""
    if isinstance(node, int) and not isinstance(node, bool):
        yield abs(node)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key not in ("seed", "shared_object_id"):
                yield from _sizes(child)
    elif isinstance(node, list):
        for child in node:
            yield from _sizes(child)
