"""The architecture of a Keras model, as Keras 1 to 3 write it, and the encoder in it.

A model is a graph of layers that may hold models. The encoder ends in the first dense layer to which a single chain of
layers leads from an input, and in the activations behind it; what follows, in a whole autoencoder, is the decoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from models.errors import InputError
from models.foreign.layers import ACTIVATIONS, DENSE, NORMS, PASSIVE
from models.wording import counted

_MAX_LAYERS = 1000
_BEGINS_DECODER = {*DENSE, "Reshape", "Concatenate", "Conv2DTranspose", "QConv2DTranspose", "UpSampling2D", "Multiply"}


@dataclass(eq=False)
class Node:
    """A layer of the graph: its place (names of the models around it, then its own), class, settings, sources."""

    path: tuple[str, ...]
    kind: str
    config: Mapping[str, Any]
    sources: list[Node] = field(default_factory=list)
    users: list[Node] = field(default_factory=list)

    def __str__(self) -> str:
        return f"layer {self.path[-1]} ({self.kind})"


def kind_of(layer: Mapping[str, Any]) -> str:
    """The class of a layer, without the package it is registered for."""
    return str(layer.get("class_name", "")).rpartition(">")[2]


def inner_layers(model: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """The layers of a model, or None of what is a layer itself."""
    config = model.get("config")
    layers = config.get("layers") if isinstance(config, Mapping) else config
    if not isinstance(layers, list) or not all(isinstance(one, Mapping) and "class_name" in one for one in layers):
        return None
    return layers


def name_of(layer: Mapping[str, Any]) -> str:
    """The name of a layer; Keras gives it in one of two places."""
    config = layer.get("config")
    inner = config.get("name") if isinstance(config, Mapping) else None
    return str(layer.get("name") or inner or kind_of(layer))


def encoder_nodes(origin: str, model: Mapping[str, Any], n_outputs: int) -> list[Node]:
    """The layers of the encoder, from the input to the activations behind its dense layer.

    Raises InputError, naming file and layer, if there is none or if more than a chain of layers leads to it.
    """
    nodes = _Graph(origin).expand(model)
    problem = None
    for node in nodes:
        if node.kind in DENSE:
            chain = _back_to_input(node)
            if isinstance(chain, str):
                problem = problem or f"{node} of the encoder: {chain}"
            elif not any(one.kind in DENSE for one in chain[:-1]) and _is_image(chain[0]):
                if node.config.get("units", n_outputs) != n_outputs:
                    raise InputError(f"{origin}: {node} has {node.config['units']} outputs, the configuration's "
                                     f"encoder {n_outputs}")
                return chain + _activations(origin, node)
    what = problem or f"no dense layer behind an image among its {counted(len(nodes), 'layer')}"
    raise InputError(f"{origin}: {what}; expected an encoder: image, convolution, ReLU, dense layer, ReLU")


def chain_of(origin: str, model: Mapping[str, Any]) -> list[Node]:
    """All layers of a model that is one chain, from its input to its output; raises InputError for any other."""
    nodes = _Graph(origin).expand(model)
    last = [node for node in nodes if not node.users]
    if len(last) != 1:
        raise InputError(f"{origin}: {counted(len(last), 'layer')} give a result, expected a chain of layers")
    chain = _back_to_input(last[0])
    if isinstance(chain, str):
        raise InputError(f"{origin}: {chain}")
    return chain


def input_shape(nodes: list[Node]) -> tuple[int, ...] | None:
    """Shape of one image at the first of `nodes`, where its settings say it."""
    config = nodes[0].config
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    if not isinstance(shape, list) or not all(isinstance(size, int) and size > 0 for size in shape[1:]):
        return None
    return tuple(map(int, shape[1:]))


def _is_image(node: Node) -> bool:
    shape = input_shape([node])
    size = 1
    for length in shape or ():
        size *= length
    return shape is None or size == 64


def _back_to_input(node: Node) -> list[Node] | str:
    """The chain of layers to `node`, or why it is none."""
    chain = [node]
    while chain[0].sources:
        if len(chain[0].sources) > 1:
            return f"{chain[0]} has {counted(len(chain[0].sources), 'input')}, expected one chain of layers"
        if len(chain) > _MAX_LAYERS:
            return "its layers form a circle"
        chain.insert(0, chain[0].sources[0])
    return chain


def _activations(origin: str, dense: Node) -> list[Node]:
    """What stands between the dense layer and the decoder, or the end."""
    found: list[Node] = []
    last = dense
    while len(last.users) == 1:
        (user,) = last.users
        if user.path[:-1] != dense.path[:-1] or user.kind in _BEGINS_DECODER or len(user.sources) > 1:
            break
        if user.kind not in ACTIVATIONS | NORMS | PASSIVE:
            raise InputError(f"{origin}: {user} follows the encoder's dense layer, expected an activation or a decoder")
        if user in found:
            raise InputError(f"{origin}: the layers behind {dense} form a circle")
        found.append(user)
        last = user
    return found


class _Graph:
    """All layers of a model and of the models in it, linked."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.nodes: list[Node] = []

    def expand(self, model: Mapping[str, Any]) -> list[Node]:
        """The layers in the order of the file."""
        if not isinstance(model, Mapping) or inner_layers(model) is None:
            what = f"class {kind_of(model)}" if isinstance(model, Mapping) else type(model).__name__
            raise InputError(f"{self.origin}: {what} has no list of layers (a model of its own class?), expected a "
                             "functional or sequential Keras model")
        self._model(model, ())
        for node in self.nodes:
            for source in node.sources:
                source.users.append(node)
        return self.nodes

    def _model(self, model: Mapping[str, Any], path: tuple[str, ...]) -> tuple[list[Node], list[Node]]:
        """Add the layers of one model; returns its inputs and its outputs."""
        layers = inner_layers(model) or []
        if len(self.nodes) + len(layers) > _MAX_LAYERS or len(path) > 10:
            raise InputError(f"{self.origin}: over {counted(_MAX_LAYERS, 'layer')}, expected an encoder")
        heads: dict[str, list[Node]] = {}  # what takes a layer's input
        tails: dict[str, list[Node]] = {}  # what gives its output
        for layer in layers:
            name = name_of(layer)
            if inner_layers(layer) is not None:
                heads[name], tails[name] = self._model(layer, (*path, name))
            else:
                config = layer.get("config")
                node = Node((*path, name), kind_of(layer), config if isinstance(config, Mapping) else {})
                self.nodes.append(node)
                heads[name] = tails[name] = [node]
        names = [name_of(layer) for layer in layers]
        sequential = not any("inbound_nodes" in layer for layer in layers)
        for index, (name, layer) in enumerate(zip(names, layers, strict=True)):
            sources = names[index - 1 : index] if sequential else list(_sources(_first(layer.get("inbound_nodes"))))
            found = [tail for source in sources for tail in tails.get(source, [])]
            if len(heads[name]) == 1:
                heads[name][0].sources += found
            else:  # a model of several inputs
                for head, source in zip(heads[name], found, strict=False):
                    head.sources.append(source)
        config = model["config"] if isinstance(model["config"], Mapping) else {}
        inputs = list(_names(config.get("input_layers"), names)) or names[:1]
        outputs = list(_names(config.get("output_layers"), names)) or names[-1:]
        return ([head for name in inputs for head in heads[name]], [tail for name in outputs for tail in tails[name]])


def _first(calls: Any) -> Any:
    """The first use of a layer; one that is used again is the same layer."""
    return calls[0] if isinstance(calls, list) and calls and not isinstance(calls[0], str) else calls


def _sources(call: Any) -> Iterator[str]:
    """Names of the layers whose outputs a call takes, in the forms of Keras 2 and 3."""
    waiting, seen = [call], set()
    while waiting:
        one = waiting.pop()
        if not isinstance(one, Mapping | list) or id(one) in seen:  # YAML may hold one thing many times
            continue
        seen.add(id(one))
        if isinstance(one, Mapping):
            history = one.get("keras_history")
            if isinstance(history, list) and history:
                yield str(history[0])
                continue
            one = list(one.values())
        elif len(one) >= 3 and isinstance(one[0], str) and isinstance(one[1], int):
            yield one[0]
        waiting += one[::-1]


def _names(ends: Any, known: list[str]) -> Iterator[str]:
    """Names of the layers at the ends of a model: `["x", 0, 0]` or a list of such."""
    if isinstance(ends, list):
        if ends and isinstance(ends[0], str):
            if ends[0] in known:
                yield ends[0]
        else:
            for one in ends:
                yield from _names(one, known)
