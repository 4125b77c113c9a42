"""A frozen graph as data: its nodes, and what they compute from constants and one input, in NumPy.

Nothing in the file is run. A node of an operation that is not known here is an error that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.errors import InputError, parsing
from models.foreign.operations import OPERATIONS

# isort: split
import tensorflow as tf

_MAX_BYTES = 1 << 26
_OURS = "ExtractImagePatches"  # in an exported encoder, which multiplies and cuts each product as the chip does

Array = npt.NDArray[Any]


class NodeGraph:
    """What the last node of a graph is computed from, inputs before what uses them."""

    def __init__(self, path: Path, what: str, expected: str) -> None:
        """Read a graph of one placeholder; `what` it is the graph of and what of nodes is `expected` stand in errors.

        Raises InputError naming the file, and the node if one is not known.
        """
        self.path = path
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path}: over {_MAX_BYTES} bytes, expected the frozen graph of {what}")
        definition = tf.compat.v1.GraphDef()
        with parsing(path, "a frozen graph"):
            definition.ParseFromString(path.read_bytes())
        self.nodes = {node.name: node for node in definition.node}
        self.inputs = {node.name: [name.partition(":")[0] for name in node.input if not name.startswith("^")]
                       for node in definition.node}
        used = {name.lstrip("^").partition(":")[0] for node in definition.node for name in node.input}
        last = [node for node in definition.node if node.name not in used and node.op != "NoOp"]
        if not last:
            raise InputError(f"{path}: no node that gives a result, expected the frozen graph of {what}")
        self.output: str = last[-1].name
        self.needed = self.ancestors(self.output)
        for name in self.needed:
            node = self.nodes[name]
            if node.op not in OPERATIONS and node.op not in ("Placeholder", "Const"):
                ours = ("; graphs of econ-t export have such nodes: give the folder of the SavedModel beside this "
                        "file, or use the weights.npz of its run as it is") if node.op == _OURS else ""
                raise InputError(f"{path}: node {name} ({node.op}), expected {expected}{ours}")
            later = next((one for one in node.input if one.partition(":")[2] not in ("", "0")), None)
            if later:
                raise InputError(f"{path}: node {name} reads {later}, expected the first output of a node")
        images = [name for name in self.needed if self.nodes[name].op == "Placeholder"]
        if len(images) != 1:
            raise InputError(f"{path}: {len(images)} inputs ({', '.join(sorted(images)[:3])}), expected one, "
                             f"that of {what}")
        self.placeholder = images[0]
        self.depends: dict[str, bool] = {}
        for name in self.needed:  # in order: inputs come first
            self.depends[name] = name == self.placeholder or any(self.depends[one] for one in self.inputs[name])
        self._known: dict[str, Array] = {}

    def ancestors(self, output: str) -> list[str]:
        """What a node is computed from, inputs before what uses them."""
        order: list[str] = []
        state: dict[str, int] = {}
        stack = [output]
        while stack:
            name = stack[-1]
            if name not in self.nodes:
                raise InputError(f"{self.path}: node {name} is missing")
            waiting = [one for one in self.inputs[name] if state.get(one) != 2]
            if state.get(name) == 1 and any(state.get(one) == 1 for one in waiting):
                raise InputError(f"{self.path}: the nodes around {name} form a circle")
            if waiting:
                state[name] = 1
                stack += waiting[:1]
            else:
                if state.get(name) != 2:
                    order.append(name)
                state[name] = 2
                stack.pop()
        return order

    @cached_property
    def declared_shape(self) -> tuple[int | None, ...] | None:
        """Shape of the placeholder, with None for what any number may be; None if the file does not say."""
        shape = self.nodes[self.placeholder].attr["shape"].shape
        if shape.unknown_rank or not shape.dim:
            return None
        return tuple(int(one.size) if one.size >= 0 else None for one in shape.dim)

    @property
    def one_by_one(self) -> bool:
        """Whether the graph was made for a batch of one."""
        return bool(self.declared_shape) and self.declared_shape[0] == 1  # type: ignore[index]

    def constant(self, name: str) -> Array:
        """Value of a node that depends on constants alone."""
        return self.value(name, {})

    def value(self, name: str, given: Mapping[str, Array]) -> Array:
        """Value of a node, with those of some others given; raises InputError if the file is not consistent."""
        found = dict(given)
        for one in self._between(name, given):
            if one not in self._known:
                value = self._computed(one, found)
                if self.depends.get(one, True):
                    found[one] = value
                else:
                    self._known[one] = value
            if one in self._known:
                found[one] = self._known[one]
        return found[name]

    def _between(self, name: str, given: Mapping[str, Array]) -> list[str]:
        """Nodes to compute for one, in order, without what lies behind those given."""
        needed, waiting = {name}, [name]
        while waiting:
            for source in self.inputs[waiting.pop()]:
                if source not in given and source not in needed:
                    needed.add(source)
                    waiting.append(source)
        return [one for one in self.needed if one in needed and one not in given]

    def _computed(self, name: str, found: Mapping[str, Array]) -> Array:
        node = self.nodes[name]
        with parsing(self.path, f"a frozen graph: node {name} ({node.op})"), np.errstate(all="ignore"):
            if node.op == "Const":
                return np.asarray(tf.make_ndarray(node.attr["value"].tensor))
            if node.op == "Placeholder":
                raise InputError(f"{self.path}: node {name} depends on the input, expected constants")
            return np.asarray(OPERATIONS[node.op](node.attr, *(found[one] for one in self.inputs[name])))

    def run(self, values: Array) -> Array:
        """Output (n, k) for the rows of an input, one after another if the graph was made for one."""
        values = values.astype(np.float32)
        step = 1 if self.one_by_one else len(values)
        parts = [np.reshape(self.value(self.output, {self.placeholder: values[i : i + step]}), (step, -1))
                 for i in range(0, len(values), step)]
        return np.concatenate(parts).astype(np.float64)
