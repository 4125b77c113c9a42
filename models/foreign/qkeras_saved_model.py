"""SavedModel folders: the architecture that Keras 2 leaves in them and the variables, both read as data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.arrays import FloatArray
from models.errors import InputError, parsing
from models.foreign.architecture import inner_layers, kind_of, name_of

# isort: split
import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2
from tf_keras.protobuf import saved_metadata_pb2

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


Places = dict[tuple[str, ...], dict[str, FloatArray]]
"""Arrays by the layer's place, then by the name of the variable."""


def read_saved_model(path: Path) -> tuple[dict[str, Any], Places] | dict[str, FloatArray]:
    """The Keras model of a folder and its arrays; of a folder that says no model, all arrays by name."""
    metadata = path / "keras_metadata.pb"
    with parsing(path, "a SavedModel"):
        reader = tf.train.load_checkpoint(str(path / "variables" / "variables"))
        graph = trackable_object_graph_pb2.TrackableObjectGraph()
        graph.ParseFromString(reader.get_tensor(_OBJECT_GRAPH))
    if not metadata.exists():
        return {attribute.full_name: array for node in graph.nodes for attribute in node.attributes
                if (array := _read(path, reader, attribute.checkpoint_key)) is not None}
    with parsing(metadata, "Keras metadata"):
        saved = saved_metadata_pb2.SavedMetadata()
        saved.ParseFromString(metadata.read_bytes())
        found = [json.loads(node.metadata) for node in saved.nodes if node.node_path == "root"]
    if len(found) != 1 or not isinstance(found[0], dict):
        raise InputError(f"{metadata}: {len(found)} models, expected one")
    model: dict[str, Any] = _plain(found[0])
    places: Places = {}
    for place, node in _objects(graph, 0, model, ()):
        arrays = {name: _read(path, reader, key) for name, key in _variables(graph, node)}
        places[place] = {name: array for name, array in arrays.items() if array is not None}
    return model, places


def _objects(
    graph: Any, node: int, model: Mapping[str, Any], place: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], int]]:
    """The object of each layer of a model and of the models in it: Keras numbers the layers."""
    children = {child.local_name: child.node_id for child in graph.nodes[node].children}
    layers = inner_layers(model) or []
    if kind_of(model) == "Sequential":
        layers = [layer for layer in layers if kind_of(layer) != "InputLayer"]
    for index, layer in enumerate(layers):
        inner = children.get(f"layer-{index}")
        if inner is not None:
            here = (*place, name_of(layer))
            yield here, inner
            if inner_layers(layer) is not None:
                yield from _objects(graph, inner, layer, here)


def _variables(graph: Any, node: int) -> Iterator[tuple[str, str]]:
    """Names of a layer's variables and their keys; those of a normalisation inside it too."""
    for child in graph.nodes[node].children:
        attributes = graph.nodes[child.node_id].attributes
        if attributes:
            yield child.local_name, attributes[0].checkpoint_key
        elif child.local_name == "batchnorm":
            yield from _variables(graph, child.node_id)


def _read(path: Path, reader: Any, key: str) -> FloatArray | None:
    with parsing(path, "a SavedModel"):
        if reader.get_variable_to_dtype_map().get(key) != tf.float32 or "optimizer" in key.lower():
            return None
        return np.asarray(reader.get_tensor(key), dtype=np.float64)


def _plain(value: Any) -> Any:
    """Settings with lists for the tuples and shapes that the metadata wraps."""
    if isinstance(value, dict):
        if value.get("class_name") in ("__tuple__", "TensorShape") and isinstance(value.get("items"), list):
            return [_plain(one) for one in value["items"]]
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
