"""The arrays of a Keras model in an HDF5 file, by layer, in the two layouts of Keras.

The older one has a group per layer of the outermost model, with names of variables; the newer one, also inside
`.keras` archives, a group per class of layer, numbered, with variables by number.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import h5py
import numpy as np

from models.arrays import FloatArray
from models.errors import InputError
from models.foreign.architecture import Node, inner_layers, kind_of, name_of

ArraysOf = Callable[[Node], dict[str, FloatArray]]
_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
_MAX_ARRAYS = 10_000
_MAX_VALUES = 1 << 24


def read_arrays(origin: str, file: h5py.File) -> dict[str, FloatArray]:
    """All arrays of numbers in a file by their paths, but for those of an optimiser."""
    found: dict[str, FloatArray] = {}
    total = 0

    def visit(name: str, item: Any) -> None:
        nonlocal total
        if not isinstance(item, h5py.Dataset) or item.dtype.kind != "f" or "optimizer" in name.lower():
            return
        total += item.size
        if len(found) > _MAX_ARRAYS or total > _MAX_VALUES:
            raise InputError(f"{origin}: over {_MAX_ARRAYS} arrays or {_MAX_VALUES} numbers, expected an encoder")
        found[name] = np.asarray(item[()], dtype=np.float64)

    file.visititems(visit)
    return found


def arrays_by_layer(origin: str, arrays: Mapping[str, FloatArray], model: Mapping[str, Any]) -> ArraysOf:
    """A function that gives the arrays of a layer by the names of its variables."""
    if _container(arrays, "") is not None:
        places = dict(_places(arrays, model, (), ""))
        return lambda node: _numbered(arrays, places.get(node.path), node)
    root = "model_weights/" if any(name.startswith("model_weights/") for name in arrays) else ""
    return lambda node: _named(origin, arrays, root, node)


def _named(origin: str, arrays: Mapping[str, FloatArray], root: str, node: Node) -> dict[str, FloatArray]:
    """Those in the group of the outermost layer; of a model in a model, whose path names the layer."""
    group = f"{root}{node.path[0]}/"
    found: dict[str, FloatArray] = {}
    for name, array in arrays.items():
        parts = name.removeprefix(group).split("/")
        if name.startswith(group) and (len(node.path) == 1 or node.path[-1] in parts[:-1]):
            variable = parts[-1].partition(":")[0]
            if variable in found:
                raise InputError(f"{origin}: {node} has several arrays {variable}, expected one")
            found[variable] = array
    return found


def _container(arrays: Mapping[str, FloatArray], prefix: str) -> str | None:
    return next((f"{prefix}{name}/" for name in _CONTAINERS
                 if any(path.startswith(f"{prefix}{name}/") for path in arrays)), None)


def _places(
    arrays: Mapping[str, FloatArray], model: Mapping[str, Any], path: tuple[str, ...], prefix: str
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where the arrays of each layer are: classes in snake case, numbered in the order of the model."""
    container = _container(arrays, prefix)
    used: Counter[str] = Counter()
    for layer in inner_layers(model) or [] if container else []:
        base = _snake_case(kind_of(layer))
        here = (*path, name_of(layer))
        place = f"{container}{base}_{used[base]}/" if used[base] else f"{container}{base}/"
        used[base] += 1
        yield here, place
        yield from _places(arrays, layer, here, place)


def _numbered(arrays: Mapping[str, FloatArray], place: str | None, node: Node) -> dict[str, FloatArray]:
    config = node.config
    norm = [name for name, given in (("gamma", config.get("scale", True)), ("beta", config.get("center", True)))
            if given] + ["moving_mean", "moving_variance"]
    own = norm if "Normalization" in node.kind else ["kernel", *(["bias"] if config.get("use_bias", True) else [])]
    found = {name: f"{place}vars/{i}" for i, name in enumerate(own)}
    found |= {name: f"{place}batchnorm/vars/{i}" for i, name in enumerate(norm) if name not in found}
    return {name: arrays[source] for name, source in found.items() if source in arrays}


def _snake_case(name: str) -> str:
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
