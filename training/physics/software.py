"""Stand-in for the experiment's software: runs frozen graphs on module charges as its C++ does.

Two rules. `fork` is the software that uses the chip's integers: image codes of CALQ, latents floored, half a CALQ added
to each cell. `upstream` normalises transverse MIPs, rounds, and feeds the latents alone. Node names are those of the
first and last node of each graph, as in the C++.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from models.arrays import BoolArray, FloatArray, IntArray
from models.errors import InputError, parsing
from models.trigger_cells import CALQ_PER_MIPT, IMAGE_SIZE, IMAGE_TO_TC, N_TRIGGER_CELLS, to_trigger_cells
from models.wording import counted

Rule = Literal["fork", "upstream"]

N_LATENTS = 16
_INPUT_BITS = 8
_FULL_NORM = 2048  # the front end's calibration factor 1.0
_BATCH = 1024


@dataclass(frozen=True)
class Settings:
    """Parameters of the software's configuration that decoding depends on."""

    bits_per_link: tuple[int, ...]
    link_to_graph: tuple[int, ...]
    decoder_inputs: int
    preserve_module_sum: bool
    zero_suppression: float = 0.1


@dataclass(frozen=True)
class SoftwareCells:
    """What the software makes of n modules.

    latent: (n, 16) as sent; charge: (n, 48) in CALQ and trigger-cell order, half a CALQ included; it is in transverse
    MIPs for the rule `upstream`.
    """

    latent: FloatArray
    charge: FloatArray


class FrozenGraph:
    """A frozen graph in a session; its input is its first node, its output the last one."""

    def __init__(self, path: Path) -> None:
        """Read a graph; raises InputError naming the file if it is not one or if it has another placeholder."""
        import tensorflow as tf  # noqa: PLC0415  (slow to start)

        import models.qkeras_setup  # noqa: F401, PLC0415  (chooses the Keras that the next line imports)

        definition = tf.compat.v1.GraphDef()
        with parsing(path, "a frozen graph"):
            definition.ParseFromString(path.read_bytes())
        nodes = list(definition.node)
        if len(nodes) < 2:  # noqa: PLR2004  (input and output)
            raise InputError(f"{path}: graph of {counted(len(nodes), 'node')}, expected an input and an output")
        placeholders = [node.name for node in nodes if node.op.startswith("Placeholder")]
        if placeholders != [nodes[0].name]:
            raise InputError(f"{path}: placeholders {', '.join(placeholders) or 'none'}, expected its first node alone")
        self.path, self.names = path, (nodes[0].name, nodes[-1].name)
        with tf.Graph().as_default() as graph, parsing(path, "a frozen graph"):
            tf.import_graph_def(definition, name="")
        shape = graph.get_tensor_by_name(f"{self.names[0]}:0").shape
        self.input_shape = tuple(shape.as_list()) if shape.rank else (None,)
        self._session = tf.compat.v1.Session(graph=graph)

    def run(self, values: FloatArray) -> FloatArray:
        """Run all rows, a batch at a time: one by one if the graph was made for one."""
        first, last = (f"{name}:0" for name in self.names)
        batch = self.input_shape[0] or _BATCH
        parts = [self._session.run(last, {first: values[start : start + batch].astype(np.float32)})
                 for start in range(0, len(values), batch)]
        result: FloatArray = np.concatenate(parts).astype(np.float64)
        return result


def check_names(graphs: list[FrozenGraph]) -> None:
    """Raise InputError unless all graphs of a list have the same names of first and last node."""
    for graph in graphs[1:]:
        if graph.names != graphs[0].names:
            raise InputError(f"{graph.path}: first and last node are {', '.join(graph.names)}, but "
                             f"{', '.join(graphs[0].names)} in {graphs[0].path.name}")


def software_conditions(
    module_sum: IntArray, columns: Mapping[str, npt.NDArray[Any]], integer_division: bool = True
) -> npt.NDArray[np.float32]:
    """Compute the eight conditions as the C++ does: (n, 8).

    `integer_division`: u/12, v/12 and (layer - 1)/46 are divisions of integers there, which give 0 for nearly all.
    """
    seen = np.zeros((len(module_sum), 8))
    seen[:, 6] = np.log(np.asarray(module_sum, np.float64) + 1)
    if "eta" in columns:
        seen[:, 0] = columns["eta"] / 3.1
    for place, name, divisor, offset in ((1, "waferv", 12, 0), (2, "waferu", 12, 0), (7, "layer", 46, 1)):
        if name in columns:
            ratio = (columns[name] - offset) / divisor
            seen[:, place] = np.trunc(ratio) if integer_division else ratio
    if "wafertype" in columns:
        for k in range(3):
            seen[:, 3 + k] = columns["wafertype"] == k
    return seen.astype(np.float32)


def run_software(
    encoder: FrozenGraph, decoder: FrozenGraph, calq: IntArray, n_links: int, settings: Settings, rule: Rule = "fork",
    *, columns: Mapping[str, npt.NDArray[Any]] | None = None, valid: BoolArray | None = None,
    norm: int = _FULL_NORM, integer_division: bool = True,
) -> SoftwareCells:
    """Send charges (n, 48) in image order through a pair of graphs.

    columns: conditions of the modules; valid: (n, 48) in trigger-cell order, cells that exist (default: all); norm: the
    calibration factor of the front end times 2048. Modules without charge come back empty.
    """
    calq = np.asarray(calq).astype(np.int64)
    cells = to_trigger_cells(calq)
    there = np.ones_like(cells, dtype=bool) if valid is None else valid
    module_sum = cells.sum(axis=1)
    bits = settings.bits_per_link[n_links]
    if rule == "fork":
        shift = np.maximum(np.frexp(np.maximum(module_sum, 1).astype(np.float64))[1] - 1, 0)
        image = _images(((cells << (_INPUT_BITS - 1)) >> shift[:, None]) / (1 << (_INPUT_BITS - 1)))
        steps, largest = 2.0 ** (bits - 1), 2 - 2.0 ** -(bits - 1)
        latent = encoder.run(image)
        if bits > 0:
            latent = np.minimum(np.floor(latent * steps) / steps, largest)
    else:
        mip = cells / CALQ_PER_MIPT
        with np.errstate(divide="ignore"):
            msb = np.where(module_sum > 0, np.trunc(np.log2(mip.sum(axis=1))), 0)
        scale = 2.0**msb
        image = _images(np.round(mip / scale[:, None] * 2**_INPUT_BITS) / 2**_INPUT_BITS)
        latent = encoder.run(image)
        if bits > 0:
            latent = np.round(latent * 2.0**bits) / 2.0**bits
    inputs = np.ones((len(calq), settings.decoder_inputs))
    inputs[:, :N_LATENTS] = latent
    if settings.decoder_inputs > N_LATENTS:
        inputs[:, N_LATENTS:] = software_conditions(module_sum, columns or {}, integer_division)
    out = np.zeros((len(calq), N_TRIGGER_CELLS))
    flat = IMAGE_TO_TC.ravel()
    out[:, flat[flat >= 0]] = decoder.run(inputs)[:, flat >= 0]  # other pixels are no cells of the software
    out = np.where(there, out, 0.0)
    total = out.sum(axis=1, keepdims=True)
    if rule == "fork":
        factor = module_sum[:, None] / np.where(total > 0, total, np.inf) if settings.preserve_module_sum else 1.0
        adc = (out * factor + 0.5) / (norm / 2048)
        charge = np.where((out > 0) & (adc >= settings.zero_suppression), adc * (norm / 2048), 0.0)
    else:
        mipt = out * (module_sum[:, None] / CALQ_PER_MIPT / np.where(total > 0, total, np.inf)
                      if settings.preserve_module_sum else scale[:, None])
        charge = np.where(mipt >= settings.zero_suppression, mipt, 0.0)
    empty = module_sum == 0
    charge[empty], latent[empty] = 0.0, 0.0
    return SoftwareCells(latent, charge)


def _images(cells: FloatArray) -> FloatArray:
    """Place cells (n, 48) in trigger-cell order in images (n, 8, 8, 1)."""
    image = np.where(IMAGE_TO_TC >= 0, cells[:, IMAGE_TO_TC], 0.0)
    return image.reshape(-1, IMAGE_SIZE, IMAGE_SIZE, 1)
