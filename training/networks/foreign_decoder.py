"""Decoders from elsewhere: a chain of Keras layers, or the nodes of a frozen graph, both read as data.

They take the 16 latents alone, or followed by the eight conditions of the experiment's software, and give 64 pixels of
the image or 48 trigger cells.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

import models.qkeras_setup  # noqa: F401  (first: it chooses the Keras that the others import)
from models.arrays import FloatArray, IntArray
from models.errors import InputError, parsing
from models.foreign.architecture import Node, chain_of, input_shape
from models.foreign.files import architecture_beside, read_architecture
from models.foreign.keras_arrays import arrays_by_layer, read_arrays
from models.foreign.layers import Layer
from models.foreign.qkeras_layers import rebuilt
from models.foreign.qkeras_node_graph import NodeGraph
from models.trigger_cells import IMAGE_SIZE, N_TRIGGER_CELLS, channel_to_pixel, image_order
from training.networks.conditions import N_CONDITIONS, conditions

N_LATENTS = 16
_WIDTHS = (N_LATENTS, N_LATENTS + N_CONDITIONS)
_CUTS = ("SlicingOpLambda", "Lambda", "TFOpLambda")
_KEPT = {"Dense", "Conv2D", "Conv2DTranspose", "Reshape", "Flatten", "Permute", "ReLU", "LeakyReLU", "Activation",
         "BatchNormalization", "UpSampling2D", "ZeroPadding2D", "Cropping2D", "Softmax", "QDense", "QConv2D",
         "QActivation"}
_PASSIVE = {"InputLayer", "Dropout", "Identity", *_CUTS}


@dataclass(frozen=True)
class ForeignDecoder:
    """A function from (n, `width`) to the pixels or cells of n modules, and what was assumed.

    `arrays`: kernel and bias of each layer that has them, in order.
    """

    width: int
    run: Callable[[FloatArray], FloatArray]
    notes: tuple[str, ...] = ()
    arrays: tuple[FloatArray, ...] = ()

    def fractions(
        self, latent: FloatArray, module_sum: IntArray, columns: Mapping[str, npt.NDArray[Any]]
    ) -> FloatArray:
        """Decode latents (n, 16) to charge fractions (n, 48) in trigger-cell order."""
        cells = self.cells(latent, module_sum, columns)
        total = cells.sum(axis=1, keepdims=True)
        found: FloatArray = np.where(total > 0, cells / np.where(total > 0, total, 1), 1 / N_TRIGGER_CELLS)
        return found

    def cells(
        self, latent: FloatArray, module_sum: IntArray, columns: Mapping[str, npt.NDArray[Any]]
    ) -> FloatArray:
        """Decode to cells (n, 48) of any scale; what is below 0 counts as 0."""
        seen = latent if self.width == N_LATENTS else np.concatenate([latent, conditions(module_sum, columns)], axis=1)
        cells = _cells(self.run(seen.astype(np.float32)))
        found: FloatArray = np.maximum(np.where(columns["cells"], cells, 0) if "cells" in columns else cells, 0)
        return found


def _cells(out: FloatArray) -> FloatArray:
    """Cells (n, 48) in trigger-cell order of images, flat images, or cells."""
    if out.ndim == 4:  # noqa: PLR2004  (n, rows, columns, channels)
        out = out[..., 0]
    if out.ndim == 3:  # noqa: PLR2004  (n, rows, columns)
        out = out[:, :IMAGE_SIZE, :IMAGE_SIZE].reshape(len(out), -1)
    if out.shape[1] == N_TRIGGER_CELLS:
        return out
    pixel = np.empty(N_TRIGGER_CELLS, np.int64)
    pixel[image_order()] = channel_to_pixel()
    return out[:, pixel]


def read_decoder(path: Path) -> ForeignDecoder:
    """Read a decoder of Keras, or a frozen graph (.pb); raises InputError naming layer or node if it is none."""
    return _read_nodes(path) if path.suffix == ".pb" else read_foreign_decoder(path)


def _read_nodes(path: Path) -> ForeignDecoder:
    graph = NodeGraph(path, "a decoder", "arithmetic on constants and one row of latents alone")
    shape = graph.declared_shape
    if shape is None or len(shape) != 2 or shape[1] is None:  # noqa: PLR2004  (rows, values)
        raise InputError(f"{path}: input of shape {shape}, expected a row of latents")
    return checked(path, ForeignDecoder(shape[1], graph.run, (), tuple(_arrays_of(graph))))


def _arrays_of(graph: NodeGraph) -> Iterator[FloatArray]:
    """Kernels, and what is added right behind them: zeros where nothing is."""
    layers: list[tuple[FloatArray, FloatArray]] = []
    for name in graph.needed:
        node, inputs = graph.nodes[name], graph.inputs[name]
        if not graph.depends[name]:
            continue
        if node.op == "MatMul" and not graph.depends[inputs[1]]:
            kernel = graph.constant(inputs[1])
            kernel = kernel.T if node.attr["transpose_b"].b else kernel
            layers.append((kernel, np.zeros(kernel.shape[-1])))
        elif node.op == "Conv2DBackpropInput" and not graph.depends[inputs[1]]:
            kernel = graph.constant(inputs[1])
            layers.append((kernel, np.zeros(kernel.shape[2])))
        elif node.op in ("BiasAdd", "Add", "AddV2") and layers:
            known = [graph.constant(one) for one in inputs if not graph.depends[one]]
            if len(known) == 1 and known[0].shape == layers[-1][1].shape:
                layers[-1] = layers[-1][0], layers[-1][1] + known[0]
    return (array for layer in layers for array in layer)


def read_foreign_decoder(path: Path) -> ForeignDecoder:
    """Read a decoder of Keras (.h5, .hdf5, .keras); raises InputError naming file and layer if it is none."""
    model, arrays = _contents(path)
    nodes = chain_of(str(path), model)
    odd = next((node for node in nodes if node.kind not in _KEPT | _PASSIVE), None)
    if odd is not None:
        raise InputError(f"{path}: {odd}; expected a decoder of dense layers, transposed convolutions and activations")
    shape = input_shape(nodes)
    if shape is None or len(shape) != 1:
        raise InputError(f"{path}: input of shape {shape}, expected a row of latents")
    arrays_of = arrays_by_layer(str(path), arrays, model)
    layers = [Layer(node.kind, node.path[-1], node.config, arrays_of(node)) for node in nodes if node.kind in _KEPT]
    pairs = [_kernel_and_bias(layer) for layer in layers if "kernel" in layer.arrays]
    arrays_in_order = tuple(one for pair in pairs for one in pair)
    decoder = ForeignDecoder(shape[0], rebuilt(layers, shape), _notes(nodes), arrays_in_order)
    return checked(path, decoder)


def _kernel_and_bias(layer: Layer) -> tuple[FloatArray, FloatArray]:
    """Arrays of a layer, zeros where it has no bias."""
    kernel = layer.arrays["kernel"]
    n_outputs = kernel.shape[2 if layer.kind == "Conv2DTranspose" else -1]
    return kernel, layer.arrays.get("bias", np.zeros(n_outputs))


def checked(path: Path, decoder: ForeignDecoder) -> ForeignDecoder:
    """The decoder; raises InputError if it takes or gives another number of values."""
    if decoder.width not in _WIDTHS:
        raise InputError(f"{path}: input of {decoder.width} values, expected {_WIDTHS[0]} latents or {_WIDTHS[1]} with "
                         "conditions")
    out = decoder.run(np.zeros((2, decoder.width), np.float32))
    flat = out.ndim == 2 and out.shape[1] in (N_TRIGGER_CELLS, IMAGE_SIZE**2)  # noqa: PLR2004  (rows, values)
    image = out.ndim in (3, 4) and min(out.shape[1:3]) >= IMAGE_SIZE and out.shape[3:] in ((), (1,))
    if not flat and not image:
        raise InputError(f"{path}: output of shape {out.shape[1:]}, expected 64 pixels or 48 trigger cells")
    return decoder


def _notes(nodes: Sequence[Node]) -> tuple[str, ...]:
    cut = [node.path[-1] for node in nodes if node.kind in _CUTS]
    return (f"decoder: {', '.join(cut)} taken as the cut to the first {IMAGE_SIZE} rows and columns",) if cut else ()


def _contents(path: Path) -> tuple[Mapping[str, Any], dict[str, FloatArray]]:
    """Architecture and arrays of a file."""
    if path.suffix == ".keras":
        with parsing(path, "a .keras archive"), zipfile.ZipFile(path) as archive:
            model = json.loads(archive.read("config.json"))
            with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as file:
                return model, read_arrays(str(path), file)
    with parsing(path, "HDF5"), h5py.File(path, "r") as file:
        arrays, text = read_arrays(str(path), file), file.attrs.get("model_config")
    if text is not None:
        with parsing(path, "JSON"):
            return json.loads(text if isinstance(text, str) else bytes(text).decode()), arrays
    beside = architecture_beside(path)
    if beside is None:
        raise InputError(f"{path}: weights without an architecture, expected one in the file or beside it (.json)")
    return read_architecture(beside), arrays
