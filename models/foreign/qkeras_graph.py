"""Frozen graphs of TensorFlow (.pb): nodes of arithmetic, read back into layers.

What a graph says of a kernel may be an expression, such as a quantiser's: its value counts. Only graphs of arithmetic
on constants and on their one input are taken, so that nothing in them reads, writes or calls anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from models.arrays import FloatArray
from models.errors import InputError
from models.foreign.functions import snapped
from models.foreign.layers import Function, Layer, Network
from models.foreign.operations import ELEMENTWISE, SHAPES
from models.foreign.qkeras_node_graph import NodeGraph
from models.trigger_cells import IMAGE_SIZE

_AFFINE = {"Add", "AddV2", "Sub", "Mul", "RealDiv", "BiasAdd"}


def read_graph(path: Path) -> Network:
    """The encoder of a frozen graph: its one input is the image, its last node the latents."""
    return _Encoder(path, "an encoder", "arithmetic on constants and an image alone").network()


class _Encoder(NodeGraph):
    @cached_property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of the image without the batch."""
        shape = (self.declared_shape or (None, None))[1:]
        sizes = tuple(size for size in shape if size is not None)
        return sizes if len(sizes) == len(shape) else (IMAGE_SIZE, IMAGE_SIZE, 1)

    def network(self) -> Network:
        """The layers from the image to the latents, and the graph as a function."""
        if np.prod(self.image_shape) != IMAGE_SIZE**2:
            raise InputError(f"{self.path}: input {self.placeholder} has shape {self.image_shape}, expected an image "
                             f"of {IMAGE_SIZE} x {IMAGE_SIZE}")
        layers = list(self._layers())[::-1]
        for index in range(len(layers) - 1, 0, -1):  # a shift behind a kernel is its bias
            at = index - 1
            while at and layers[at].kind == "Permute":
                at -= 1
            kernel, shift = layers[at], layers[index]
            if (shift.kind == "Affine" and kernel.kind in ("Conv2D", "Dense") and "bias" not in kernel.arrays
                    and not np.any(shift.arrays["scale"] != 1)):
                bias = np.broadcast_to(shift.arrays["shift"], kernel.arrays["kernel"].shape[-1:])
                layers[at] = replace(kernel, arrays={**kernel.arrays, "bias": bias})
                del layers[index]
        return Network(tuple(layers), self.image_shape, "the nodes of the graph", self.run)

    def _layers(self) -> Iterator[Layer]:
        """Layers from the last to the first."""
        name = self.output
        while name != self.placeholder:
            base = self._base(name)
            if base != name:
                yield Layer("Function", _scope(name), function=self._function(base, name))
                name = base
                continue
            node = self.nodes[name]
            data = [one for one in self.inputs[name] if self.depends[one]]
            if node.op == "Reshape":
                data = data[:1]  # its shape may be computed from that of the data
            if len(data) != 1 or (node.op in ("Conv2D", "MatMul") and data[0] != self.inputs[name][0]):
                raise InputError(f"{self.path}: node {name} ({node.op}) has {len(data)} inputs that depend on the "
                                 "image, expected one")
            yield from self._layer(node, data[0])
            name = data[0]

    def _base(self, name: str) -> str:
        """The one node of another kind that a region of elementwise nodes, which ends in `name`, begins with."""
        bases, seen, waiting = set(), {name}, [name]
        while waiting:
            one = waiting.pop()
            if self._ends_region(one):
                bases.add(one)
                continue
            for source in self.inputs[one]:
                if self.depends[source] and source not in seen:
                    seen.add(source)
                    waiting.append(source)
        if len(bases) != 1:
            raise InputError(f"{self.path}: node {name} combines {', '.join(sorted(bases)[:3])}, the chip's encoder is "
                             "one chain of layers")
        return bases.pop()

    def _ends_region(self, name: str) -> bool:
        node = self.nodes[name]
        return node.op not in ELEMENTWISE or self._is_affine(name)

    def _is_affine(self, name: str) -> bool:
        """Whether a node adds or multiplies a constant for each channel, right behind a layer."""
        node, inputs = self.nodes[name], self.inputs[name]
        if node.op == "BiasAdd":
            return True
        data = [one for one in inputs if self.depends[one]]
        if node.op not in _AFFINE or len(inputs) != 2 or len(data) != 1 or not self._ends_region(data[0]):
            return False
        other = inputs[1] if data[0] == inputs[0] else inputs[0]
        return self._value(other).size > 1 and self.nodes[data[0]].op not in ("Placeholder", *SHAPES)

    def _layer(self, node: Any, data: str) -> Iterator[Layer]:
        inputs = self.inputs[node.name]
        attributes, name = node.attr, _scope(node.name)
        if node.op == "Conv2D":
            order = attributes["data_format"].s.decode() or "NHWC"
            spatial = [order.index("H"), order.index("W")]
            padding = attributes["padding"].s.decode().lower()
            config = {"strides": [int(attributes["strides"].list.i[axis]) for axis in spatial],
                      "dilation_rate": [int(one) for one in attributes["dilations"].list.i] or 1,
                      "data_format": "channels_first" if order == "NCHW" else "channels_last",
                      "padding": "valid" if padding == "explicit" else padding}
            yield Layer("Conv2D", name, config, self._kernel(inputs[1]))
            if padding == "explicit":
                pairs = np.asarray(attributes["explicit_paddings"].list.i).reshape(-1, 2)[spatial]
                yield Layer("ZeroPadding2D", name, {"padding": pairs.tolist()})
        elif node.op == "MatMul" and not attributes["transpose_a"].b:
            arrays = self._kernel(inputs[1])
            if attributes["transpose_b"].b:
                arrays = {key: value.T for key, value in arrays.items()}
            yield Layer("Dense", name, {"units": arrays["kernel"].shape[-1]}, arrays)
        elif node.op.startswith("FusedBatchNorm") and not attributes["is_training"].b:
            gamma, beta, mean, variance = (self._value(one) for one in inputs[1:5])
            scale = gamma / np.sqrt(variance + attributes["epsilon"].f)
            yield Layer("Affine", name, arrays={"scale": scale, "shift": beta - mean * scale})
        elif self._is_affine(node.name):
            yield self._affine(node, data)
        elif node.op == "Transpose":
            permutation = self._value(inputs[1]).astype(int).tolist()
            yield Layer("Permute" if permutation[0] == 0 else node.op, name, {"dims": permutation[1:]})
        elif node.op in SHAPES:
            yield Layer("Reshape", name, {"target_shape": list(self._shape(node.name)[1:])})
        elif node.op in ("Pad", "PadV2") and (node.op == "Pad" or not self._value(inputs[2]).any()):
            pairs = self._value(inputs[1]).astype(int)
            yield Layer("ZeroPadding2D" if len(pairs) == 4 else node.op, name, {"padding": pairs[1:3].tolist()})
        else:
            yield Layer(node.op, node.name)

    def _affine(self, node: Any, data: str) -> Layer:
        inputs = self.inputs[node.name]
        first = inputs[0] == data
        value = self._value(inputs[1] if first else inputs[0]).ravel()
        one, zero = np.ones_like(value), np.zeros_like(value)
        scale, shift = {
            "Sub": (one, -value) if first else (-one, value),
            "Mul": (value, zero),
            "RealDiv": (1 / value if first and value.all() else zero * np.nan, zero),
        }.get(node.op, (one, value))
        if not np.isfinite(scale).all():
            raise InputError(f"{self.path}: node {node.name} (RealDiv) is not a scale; expected a division by numbers")
        return Layer("Affine", _scope(node.name), arrays={"scale": scale, "shift": shift})

    def _kernel(self, name: str) -> dict[str, FloatArray]:
        """The value of a kernel, and the constant that its quantiser, if there is one, begins with."""
        if self.depends[name]:
            raise InputError(f"{self.path}: kernel {name} depends on the image")
        kernel = self._value(name)
        constants = [self._value(one) for one in self.ancestors(name) if self.nodes[one].op == "Const"]
        raw = [value for value in constants if value.shape == kernel.shape and np.ptp(value)]
        if len(raw) == 1 and not np.array_equal(raw[0], kernel):
            return {"kernel": kernel, "unquantised": raw[0]}
        return {"kernel": kernel}

    def _value(self, name: str) -> FloatArray:
        return snapped(np.asarray(self.constant(name), dtype=np.float64))

    def _shape(self, name: str) -> tuple[int, ...]:
        image = np.zeros((1, *self.image_shape), dtype=np.float32)
        return np.shape(self.value(name, {self.placeholder: image}))

    def _function(self, source: str, result: str) -> Function:
        """A region of elementwise nodes; raises InputError if it treats the places of a tensor differently."""
        shape = self._shape(source)
        size = int(np.prod(shape))

        def once(values: FloatArray) -> FloatArray:
            answer = self.value(result, {source: values.reshape(shape)})
            if np.shape(answer) != shape:
                raise InputError(f"node {result} gives the shape {np.shape(answer)} for {shape}, expected the same")
            return np.asarray(answer).ravel()

        def apply(values: FloatArray) -> FloatArray:
            flat = np.asarray(values, dtype=np.float32).ravel()
            found = np.empty_like(flat)
            for start in range(0, flat.size, size):
                part = np.resize(flat[start : start + size], size)
                answer = once(part)
                if np.any(answer != once(part[::-1])[::-1]):
                    raise InputError(f"node {result} treats channels differently, the chip's ReLU does not")
                found[start : start + size] = answer[: flat.size - start]
            return snapped(found.reshape(np.shape(values)))

        return apply

def _scope(name: str) -> str:
    """The layer that a node belongs to, by its name."""
    return name.rpartition("/")[0] or name
