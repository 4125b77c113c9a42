"""A network of layers as the chip's encoder: its arrays in the chip's order, or the layer that the chip does not have.

Scale and shift of batch normalisation go into the layer beside them; the order of the hidden values is followed through
flattening, reshaping and permuting by sending their numbers the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from models.arrays import Float64Array, FloatArray, Int64Array
from models.errors import InputError
from models.fixed_point import FixedPoint
from models.foreign.activations import difference, leaky_relu, points
from models.foreign.calls import parse
from models.foreign.functions import function_of, quantised
from models.foreign.layers import (
    ACTIVATIONS,
    CONVOLUTIONS,
    DENSE,
    NORMS,
    PASSIVE,
    SHAPES,
    Function,
    Layer,
    Network,
)
from models.foreign.normalisation import scale_and_shift
from models.spec import EncoderSpec
from models.trigger_cells import IMAGE_SIZE

_SIGNED = np.arange(1, 65) / 32
"""Sizes of values by which an activation shows that it lets negative ones pass."""


@dataclass
class EncoderValues:
    """The four arrays in the chip's order, as the network uses them: quantised, with normalisation folded in."""

    arrays: dict[str, Float64Array] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    """Where each array was found."""
    notes: list[str] = field(default_factory=list)
    """What was done to them and what was assumed, a line each."""
    differences: list[str] = field(default_factory=list)
    """Where the network does not compute as the chip does, a line each."""
    processed: set[str] = field(default_factory=set)
    """Arrays that a quantiser or a normalisation made out of those of the file."""
    trained: list[tuple[Layer, FloatArray]] = field(default_factory=list)
    """The layers with kernels, and their kernels as the file has them."""
    signed: set[str] = field(default_factory=set)
    """Layers, `conv` or `dense`, whose values may be negative behind their activation."""


def read_encoder(network: Network, spec: EncoderSpec, approximate: bool) -> EncoderValues:
    """The encoder of a network.

    Raises InputError naming the layer that the chip does not have, and why; `approximate` takes activations and
    quantisers that differ from the chip's all the same, and notes it.
    """
    return _Reader(spec, approximate).read(network)


class _Reader:
    def __init__(self, spec: EncoderSpec, approximate: bool) -> None:
        self.spec = spec
        self.approximate = approximate
        self.found = EncoderValues()
        self.index: Int64Array = np.arange(0)
        """Numbers of the values that flow: pixels, then hidden values (row, column, filter)."""
        self.padding = np.zeros((2, 2), dtype=np.int64)
        self.functions: list[tuple[Layer, Function]] = []
        self.stage = "image"
        self.after_relu: tuple[Float64Array, Float64Array] | None = None
        """Scale and shift of the hidden values between their activation and the dense layer."""

    def read(self, network: Network) -> EncoderValues:
        self.index = np.arange(IMAGE_SIZE**2).reshape(network.input_shape)
        for layer in network.layers:
            self._step(layer)
        if self.stage != "latent":
            raise InputError(f"no {'dense layer' if self.stage == 'hidden' else 'convolution'} among the layers, "
                             "expected an encoder: image, convolution, ReLU, dense layer, ReLU")
        self._close(self.spec.dense.output, network.layers[-1])
        return self.found

    def _step(self, layer: Layer) -> None:
        steps: list[tuple[set[str], Callable[[Layer], None]]] = [
            (PASSIVE, lambda layer: None), (CONVOLUTIONS, self._convolution), (DENSE, self._dense),
            (NORMS, self._norm), (ACTIVATIONS, self._activation), (SHAPES, self._shape),
            ({"ZeroPadding2D"}, self._pad),
        ]
        for kinds, step in steps:
            if layer.kind in kinds:
                return step(layer)
        raise InputError(f"{layer}: the chip has no such layer; expected convolution, ReLU, dense layer, ReLU")

    def _convolution(self, layer: Layer) -> None:
        conv, config = self.spec.conv, layer.config
        if self.stage != "image":
            raise InputError(f"{layer} is a second convolution, the chip has one")
        if self.functions:
            self._close_image(layer)
        first = config.get("data_format") == "channels_first"
        image = self.index[0] if first else self.index[..., 0]
        if self.index.ndim != 3 or not np.array_equal(image, np.arange(IMAGE_SIZE**2).reshape(IMAGE_SIZE, IMAGE_SIZE)):
            raise InputError(f"{layer} sees an image of shape {self.index.shape} in another order, expected "
                             f"{(IMAGE_SIZE, IMAGE_SIZE, 1)}, row by row")
        kernel = self._array(layer, "kernel")
        expected = self.spec.weight_shapes["conv_kernel"]
        if kernel.shape != expected:
            raise InputError(f"{layer} has a kernel of shape {kernel.shape}, the configuration's is {expected}")
        for name, wanted in (("strides", conv.stride), ("dilation_rate", 1), ("groups", 1)):
            given = layer.integers(name, 1)
            if np.any(given != wanted):
                raise InputError(f"{layer} has {name} {given.tolist()}, the configuration's convolution {wanted}")
        self._check_padding(layer)
        self._take(layer, "conv", kernel)
        size = conv.size
        hidden = np.arange(self.spec.n_hidden).reshape(size, size, conv.filters)
        self.index = np.moveaxis(hidden, 2, 0) if first else hidden
        self.stage = "hidden"
        self._own_activation(layer)

    def _check_padding(self, layer: Layer) -> None:
        conv = self.spec.conv
        given = str(layer.config.get("padding", "valid")).lower()
        for side in self.padding:
            length = IMAGE_SIZE + int(side.sum())
            size = -(-length // conv.stride) if given == "same" else (length - conv.kernel) // conv.stride + 1
            total = max((size - 1) * conv.stride + conv.kernel - length, 0) if given == "same" else 0
            if (size, int(side[0]) + total // 2) != (conv.size, conv.padding[0]):
                raise InputError(f"{layer} with padding '{given}' and zeros {side.tolist()} around the image gives "
                                 f"{size} rows, the first from {int(side[0]) + total // 2} above the image; the "
                                 f"configuration's convolution gives {conv.size} from {conv.padding[0]}")

    def _dense(self, layer: Layer) -> None:
        if self.stage != "hidden":
            raise InputError(f"{layer}: {'a second dense layer' if self.stage == 'latent' else 'no convolution before'}"
                             ", expected convolution, ReLU, dense layer, ReLU")
        kernel = self._array(layer, "kernel")
        expected = self.spec.weight_shapes["dense_kernel"]
        if kernel.shape != expected or self.index.ndim != 1:
            raise InputError(f"{layer} has a kernel of shape {kernel.shape} behind values of shape {self.index.shape}, "
                             f"the configuration's is {expected} behind {expected[:1]}")
        self._close(self.spec.conv.output, layer)
        self._take(layer, "dense", kernel)
        values = self.found.arrays
        if self.after_relu is not None:
            scale, shift = self.after_relu
            values["dense_bias"] = values["dense_bias"] + shift[self.index] @ values["dense_kernel"]
            values["dense_kernel"] = values["dense_kernel"] * scale[self.index][:, None]
            self.found.processed |= {"dense_kernel", "dense_bias"}
        if not np.array_equal(self.index, np.arange(len(self.index))):
            ordered = np.empty_like(values["dense_kernel"])
            ordered[self.index] = values["dense_kernel"]
            values["dense_kernel"] = ordered
            self.found.notes.append(f"{layer}: rows put into the chip's order (row, column, filter)")
        self.stage = "latent"
        self._own_activation(layer)

    def _take(self, layer: Layer, name: str, kernel: FloatArray) -> None:
        """Kernel and bias as the layer uses them."""
        config = layer.config
        bias = layer.arrays.get("bias")
        n_outputs = kernel.shape[-1]
        if bias is None and config.get("use_bias", False):
            raise InputError(f"{layer}: array bias is missing, expected one of shape {(n_outputs,)}")
        if bias is not None and bias.shape != (n_outputs,):
            raise InputError(f"{layer} has a bias of shape {bias.shape}, expected {(n_outputs,)}")
        self.found.trained.append((layer, layer.arrays.get("unquantised", kernel)))
        if bias is None:
            self.found.notes.append(f"{layer} has no bias: zeros")
            bias = np.zeros(n_outputs)
        if layer.kind.endswith("Batchnorm"):
            scale, shift = scale_and_shift(layer)
            kernel, bias = kernel * scale, bias * scale + shift
            self.found.notes.append(f"{layer}: batch normalisation folded before the quantisers, as the layer does")
        for part, values in (("kernel", kernel), ("bias", bias)):
            call = parse(config.get(f"{part}_quantizer"), layer)
            used = quantised(values, call, layer, is_kernel=part == "kernel")
            self.found.arrays[f"{name}_{part}"] = np.asarray(used, dtype=np.float64)
            if call or layer.kind.endswith("Batchnorm") or "unquantised" in layer.arrays:
                self.found.processed.add(f"{name}_{part}")
            self.found.sources[f"{name}_{part}"] = f"{layer.name}/{part}" + (f", {call}" if call else "")

    def _norm(self, layer: Layer) -> None:
        if self.stage == "image":
            raise InputError(f"{layer}: the image is scaled before the convolution, the chip takes it as it is")
        scale, shift = scale_and_shift(layer)
        name = "conv" if self.stage == "hidden" else "dense"
        values = self.found.arrays
        channels = values[f"{name}_bias"].shape[0]
        if self.functions and self.stage == "hidden" and self.after_relu is None:
            # Behind the ReLU it belongs to the dense layer, by hidden value.
            of_channel = np.arange(self.spec.n_hidden) % channels
            axis_size = scale.size
            if axis_size == channels and (self.index.ndim > 1 or axis_size == 1):
                self.after_relu = scale[of_channel], shift[of_channel]
            elif axis_size == self.spec.n_hidden and self.index.ndim == 1:
                ordered = np.empty((2, axis_size))
                ordered[:, self.index] = scale, shift
                self.after_relu = ordered[0], ordered[1]
            else:
                raise InputError(f"{layer} has {axis_size} channels, expected {channels}")
            self.found.notes.append(f"{layer}: folded into the dense layer")
            return
        if self.functions:
            raise InputError(f"{layer} comes after the activation of the "
                             f"{'latents' if self.stage == 'latent' else 'hidden values'}; the chip sends them as "
                             "they are")
        if scale.shape not in ((channels,), (1,), ()):
            raise InputError(f"{layer} has {scale.size} channels, expected {channels}")
        values[f"{name}_kernel"] = values[f"{name}_kernel"] * scale
        values[f"{name}_bias"] = values[f"{name}_bias"] * scale + shift
        self.found.processed |= {f"{name}_kernel", f"{name}_bias"}
        if layer.kind != "Affine":
            self.found.notes.append(f"{layer}: folded into the {'convolution' if name == 'conv' else 'dense layer'}")

    def _activation(self, layer: Layer) -> None:
        config = layer.config
        if layer.function is not None:
            self._then(layer, layer.function)
        elif layer.kind in ("ReLU", "LeakyReLU"):
            slope = config.get("negative_slope", config.get("alpha", 0.3 if layer.kind == "LeakyReLU" else 0.0))
            limits = [config.get("max_value"), slope, config.get("threshold") or 0.0]
            if not all(limit is None or isinstance(limit, int | float) for limit in limits):
                raise InputError(f"{layer}: {limits}, expected numbers")
            self._then(layer, leaky_relu(*limits))
        else:
            self._own_activation(layer)

    def _own_activation(self, layer: Layer) -> None:
        call = parse(layer.config.get("activation"), layer)
        if call is not None and call.name == "softmax":
            raise InputError(f"{layer}: softmax, the chip has a ReLU")
        if call is not None and call.name != "linear":
            self._then(layer, function_of(call, layer))

    def _then(self, layer: Layer, function: Function) -> None:
        if self.stage == "hidden" and self.after_relu is not None:
            raise InputError(f"{layer}: a second activation of the hidden values, behind their normalisation")
        self.functions.append((layer, function))

    def _shape(self, layer: Layer) -> None:
        config = layer.config
        try:
            if layer.kind == "Permute":
                self.index = self.index.transpose(*(layer.integers("dims", 0) - 1))
            elif layer.kind == "Reshape":
                self.index = self.index.reshape(*layer.integers("target_shape", 0))
            else:
                if config.get("data_format") == "channels_first" and self.index.ndim == 3:
                    self.index = np.moveaxis(self.index, 0, -1)  # Keras flattens as if channels came last
                self.index = self.index.reshape(-1)
        except (TypeError, ValueError):
            raise InputError(f"{layer}: {dict(config)}, expected another shape for {self.index.shape}") from None

    def _pad(self, layer: Layer) -> None:
        if self.stage != "image":
            raise InputError(f"{layer}: expected padding right before the convolution")
        padding = layer.integers("padding", 1)
        if padding.shape not in ((), (2,), (2, 2)) or padding.min() < 0 or padding.max() > IMAGE_SIZE:
            raise InputError(f"{layer}: padding {padding.tolist()}, expected some rows and columns of zeros")
        self.padding = self.padding + np.broadcast_to(padding if padding.ndim != 1 else padding[:, None], (2, 2))

    def _close_image(self, layer: Layer) -> None:
        """What is done to the image must leave the codes of the normaliser as they are."""
        image = self.spec.input.value(points(self.spec.input.max_code))
        seen: FloatArray = image
        for _, function in self.functions:
            seen = function(seen)
        if not np.array_equal(seen, image):
            first = int(np.argmax(seen != image))
            self._differs(self.functions[-1][0], f"gives {seen[first]:g} for the image code {image[first]:g}, the chip "
                                                 "takes the image as it is")
        self.functions.clear()

    def _close(self, form: FixedPoint, layer: Layer) -> None:
        """The activations since the last layer, together, must be the chip's: ReLU, then the configuration's format."""
        layer = self.functions[-1][0] if self.functions else layer
        if not self.functions:
            layer = self.found.trained[-1][0]

        def together(values: FloatArray) -> FloatArray:
            for _, function in self.functions:
                values = function(values)
            return values

        if (np.asarray(together(-_SIGNED)) < 0).any():
            self.found.signed.add("conv" if self.stage == "hidden" else "dense")
        problem = difference(together, form)
        if problem:
            self._differs(layer, problem)
        self.functions.clear()

    def _differs(self, layer: Layer, problem: str) -> None:
        if not self.approximate:
            raise InputError(f"{layer} {problem} (--approximate imports it all the same)")
        self.found.differences.append(f"{layer} {problem}")

    def _array(self, layer: Layer, name: str) -> FloatArray:
        if name not in layer.arrays:
            raise InputError(f"{layer}: array {name} is missing among {', '.join(sorted(layer.arrays)) or 'none'}")
        return layer.arrays[name]
