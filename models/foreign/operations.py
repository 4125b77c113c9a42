"""Operations of TensorFlow's graphs in NumPy: each a function of the node's attributes and the values of its inputs.

Sums of products are computed in double precision and rounded once to that of the operands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Operation = Callable[..., Array]

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805
_TYPES = {1: np.float32, 2: np.float64, 3: np.int32, 4: np.uint8, 5: np.int16, 6: np.int8, 9: np.int64, 10: np.bool_,
          19: np.float16}
"""By the numbers of `tensorflow.DataType`."""


def _like(function: Callable[..., Any]) -> Operation:
    """An operation without attributes whose result has the type of its first operand."""
    return lambda _, *values: np.asarray(function(*values)).astype(values[0].dtype)


def _plain(function: Callable[..., Any]) -> Operation:
    return lambda _, *values: np.asarray(function(*values))


def _divided(one: Array, other: Array) -> Array:
    return one / other if one.dtype.kind == "f" else np.trunc(one / other)


def _elu(values: Array) -> Array:
    return np.where(values > 0, values, np.expm1(np.minimum(values, 0)))


def _bias(attributes: Any, values: Array, bias: Array) -> Array:
    if attributes["data_format"].s == b"NCHW" and values.ndim > 2:
        bias = bias.reshape(-1, *[1] * (values.ndim - 2))
    return np.asarray(values + bias)


def _select(_: Any, condition: Array, one: Array, other: Array) -> Array:
    if condition.ndim == 1 and one.ndim > 1:
        condition = condition.reshape(-1, *[1] * (one.ndim - 1))
    return np.where(condition, one, other)


def _reduced(function: Callable[..., Any]) -> Operation:
    def apply(attributes: Any, values: Array, axes: Array) -> Array:
        found = function(values, axis=tuple(int(one) for one in np.ravel(axes)), keepdims=attributes["keep_dims"].b)
        return np.asarray(found).astype(values.dtype)

    return apply


def _squeezed(attributes: Any, values: Array) -> Array:
    return np.squeeze(values, axis=tuple(int(one) for one in attributes["squeeze_dims"].list.i) or None)


def _strided_slice(attributes: Any, values: Array, begin: Array, end: Array, strides: Array) -> Array:
    def masked(name: str, bit: int) -> bool:
        return bool(attributes[name].i >> bit & 1)

    places: list[Any] = []
    for bit, (first, last, step) in enumerate(zip(begin.tolist(), end.tolist(), strides.tolist(), strict=True)):
        if masked("ellipsis_mask", bit):
            places.append(Ellipsis)
        elif masked("new_axis_mask", bit):
            places.append(None)
        elif masked("shrink_axis_mask", bit):
            places.append(first)
        else:
            places.append(slice(None if masked("begin_mask", bit) else first,
                                None if masked("end_mask", bit) else last, step))
    return np.asarray(values[tuple(places)])


def _slice(_: Any, values: Array, begin: Array, size: Array) -> Array:
    return np.asarray(values[tuple(slice(first, None if n < 0 else first + n)
                                   for first, n in zip(begin.tolist(), size.tolist(), strict=True))])


def _product(attributes: Any, one: Array, other: Array) -> Array:
    one, other = (values.T if attributes[name].b else values
                  for name, values in (("transpose_a", one), ("transpose_b", other)))
    return np.asarray(one.astype(np.float64) @ other).astype(other.dtype)


def _normalised(attributes: Any, values: Array, gamma: Array, beta: Array, mean: Array, variance: Array) -> Array:
    if attributes["is_training"].b:
        raise ValueError("normalisation by the batch, expected that of a trained network")
    scale = gamma / np.sqrt(variance + np.float32(attributes["epsilon"].f))
    shape = (-1, 1, 1) if attributes["data_format"].s == b"NCHW" else (-1,)
    return np.asarray((values - mean.reshape(shape)) * scale.reshape(shape) + beta.reshape(shape)).astype(values.dtype)


def _channels_last(function: Operation) -> Operation:
    """The same for images (n, channels, rows, columns), with strides and paddings by row and column."""
    def apply(attributes: Any, values: Array, *others: Array) -> Array:
        first = attributes["data_format"].s == b"NCHW"
        found = function(attributes, np.moveaxis(values, 1, -1) if first else values, *others)
        return np.moveaxis(found, -1, 1) if first else found

    return apply


def _by_place(attributes: Any, name: str, default: int = 1) -> tuple[int, int]:
    """Rows and columns of an attribute of four numbers."""
    given = [int(one) for one in attributes[name].list.i]
    if not given:
        return default, default
    return (given[2], given[3]) if attributes["data_format"].s == b"NCHW" else (given[1], given[2])


def _patches(attributes: Any, values: Array, kernel: tuple[int, int], empty: float) -> Array:
    """Windows (n, rows, columns, channels, *kernel) of images (n, rows, columns, channels)."""
    strides, dilations = _by_place(attributes, "strides"), _by_place(attributes, "dilations")
    padding = attributes["padding"].s
    explicit = np.asarray(attributes["explicit_paddings"].list.i).reshape(-1, 2).tolist()
    if attributes["data_format"].s == b"NCHW":
        explicit = explicit[1:]
    pads, spans = [], []
    for axis in range(2):
        span = (kernel[axis] - 1) * dilations[axis] + 1
        size = values.shape[axis + 1]
        total = max((-(-size // strides[axis]) - 1) * strides[axis] + span - size, 0) if padding == b"SAME" else 0
        pads.append(tuple(explicit[axis + 1]) if padding == b"EXPLICIT" else (total // 2, total - total // 2))
        spans.append(span)
    padded = np.pad(values, [(0, 0), *pads, (0, 0)], constant_values=empty)
    windows = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=(1, 2))
    return np.asarray(windows[:, :: strides[0], :: strides[1], :, :: dilations[0], :: dilations[1]])


def _convolution(attributes: Any, values: Array, kernel: Array) -> Array:
    windows = _patches(attributes, values.astype(np.float64), kernel.shape[:2], 0.0)
    return np.asarray(np.einsum("nxyckl,klcf->nxyf", windows, kernel, optimize=True)).astype(values.dtype)


def _depthwise(attributes: Any, values: Array, kernel: Array) -> Array:
    windows = _patches(attributes, values.astype(np.float64), kernel.shape[:2], 0.0)
    found = np.asarray(np.einsum("nxyckl,klcm->nxycm", windows, kernel, optimize=True))
    return found.reshape(*found.shape[:3], -1).astype(values.dtype)


def _pooled(function: Callable[..., Any]) -> Operation:
    def apply(attributes: Any, values: Array) -> Array:
        windows = _patches(attributes, values.astype(np.float64), _by_place(attributes, "ksize"), np.nan)
        return np.asarray(function(windows, axis=(-2, -1))).astype(values.dtype)

    return apply


def _transposed_convolution(attributes: Any, shape: Array, kernel: Array, values: Array) -> Array:
    """The gradient of a convolution by its input: kernel (rows, columns, outputs, inputs)."""
    first = attributes["data_format"].s == b"NCHW"
    image = np.moveaxis(values, 1, -1) if first else values
    rows, columns = (int(one) for one in (shape[2:4] if first else shape[1:3]))
    strides, dilations = _by_place(attributes, "strides"), _by_place(attributes, "dilations")
    if attributes["padding"].s == b"EXPLICIT":
        raise ValueError("explicit paddings, expected SAME or VALID")
    spans = [(kernel.shape[axis] - 1) * dilations[axis] + 1 for axis in range(2)]
    full = np.zeros((len(image), *((image.shape[axis + 1] - 1) * strides[axis] + spans[axis] for axis in range(2)),
                     kernel.shape[2]))
    terms = np.einsum("nxyf,klcf->nxyckl", image.astype(np.float64), kernel, optimize=True)
    for k, column in np.ndindex(*kernel.shape[:2]):
        last = [offset * dilations[axis] + (image.shape[axis + 1] - 1) * strides[axis] + 1
                for axis, offset in enumerate((k, column))]
        full[:, k * dilations[0] : last[0] : strides[0], column * dilations[1] : last[1] : strides[1]] += (
            terms[..., k, column])
    found = np.zeros((len(image), rows, columns, kernel.shape[2]))
    before = [max(full.shape[axis + 1] - size, 0) // 2 if attributes["padding"].s == b"SAME" else 0
              for axis, size in enumerate((rows, columns))]
    part = full[:, before[0] : before[0] + rows, before[1] : before[1] + columns]
    found[:, : part.shape[1], : part.shape[2]] = part
    found = found.astype(values.dtype)
    return np.moveaxis(found, -1, 1) if first else found


def _softmax(_: Any, values: Array) -> Array:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


_NORMALISATIONS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")

ELEMENTWISE: dict[str, Operation] = {
    **{name: _plain(lambda values: values) for name in ("Identity", "StopGradient", "PlaceholderWithDefault")},
    **{name: _plain(np.add) for name in ("Add", "AddV2")},
    "Sub": _plain(np.subtract), "Mul": _plain(np.multiply), "RealDiv": _like(_divided), "Div": _like(_divided),
    "DivNoNan": _like(lambda one, other: np.where(other == 0, 0, one / np.where(other == 0, 1, other))),
    "FloorDiv": _like(np.floor_divide), "FloorMod": _like(np.mod), "Pow": _like(np.power),
    "Maximum": _plain(np.maximum), "Minimum": _plain(np.minimum),
    "ClipByValue": _like(lambda values, low, high: np.minimum(np.maximum(values, low), high)),
    "Neg": _plain(np.negative), "Abs": _plain(np.abs), "Sign": _plain(np.sign), "Round": _plain(np.rint),
    "Rint": _plain(np.rint), "Floor": _plain(np.floor), "Ceil": _plain(np.ceil), "Exp": _plain(np.exp),
    "Log": _plain(np.log), "Log1p": _plain(np.log1p), "Sqrt": _plain(np.sqrt),
    "Rsqrt": _like(lambda values: 1 / np.sqrt(values)), "Square": _plain(np.square),
    "Erf": _like(np.vectorize(math.erf, otypes=[np.float64])),
    "Relu": _like(lambda values: np.maximum(values, 0)), "Relu6": _like(lambda values: np.clip(values, 0, 6)),
    "LeakyRelu": lambda attributes, values: np.where(values > 0, values, values * values.dtype.type(
        attributes["alpha"].f)),
    "Elu": _like(_elu), "Selu": _like(lambda values: _SELU_SCALE * np.where(values > 0, values, _SELU_ALPHA * _elu(
        values))),
    "Sigmoid": _like(lambda values: 1 / (1 + np.exp(-values))), "Tanh": _plain(np.tanh),
    "Softplus": _like(lambda values: np.logaddexp(0, values)),
    "Softsign": _like(lambda values: values / (1 + np.abs(values))),
    "Greater": _plain(np.greater), "GreaterEqual": _plain(np.greater_equal), "Less": _plain(np.less),
    "LessEqual": _plain(np.less_equal), "Equal": _plain(np.equal), "NotEqual": _plain(np.not_equal),
    "LogicalAnd": _plain(np.logical_and), "LogicalOr": _plain(np.logical_or), "LogicalNot": _plain(np.logical_not),
    "Select": _select, "SelectV2": _plain(np.where),
    "Cast": lambda attributes, values: values.astype(_TYPES[attributes["DstT"].type]),
    "OnesLike": _plain(np.ones_like), "ZerosLike": _plain(np.zeros_like),
}
"""Of each number for itself."""

SHAPES: dict[str, Operation] = {
    "Reshape": lambda _, values, shape: values.reshape(shape.tolist()), "Squeeze": _squeezed,
    "ExpandDims": lambda _, values, axis: np.expand_dims(values, int(np.ravel(axis)[0])),
    "Transpose": lambda _, values, order: values.transpose(order.tolist()),
}

LAYERS: dict[str, Operation] = {
    "Conv2D": _channels_last(_convolution), "DepthwiseConv2dNative": _channels_last(_depthwise),
    "Conv2DBackpropInput": _transposed_convolution, "MatMul": _product, "BiasAdd": _bias,
    **dict.fromkeys(_NORMALISATIONS, _normalised), "Pad": lambda _, values, pads: np.pad(values, pads),
    "PadV2": lambda _, values, pads, value: np.pad(values, pads, constant_values=value),
    "MaxPool": _channels_last(_pooled(np.nanmax)), "AvgPool": _channels_last(_pooled(np.nanmean)), "Softmax": _softmax,
    **SHAPES,
}

OTHERS: dict[str, Operation] = {
    "NoOp": lambda _: np.zeros(0), "Sum": _reduced(np.sum), "Mean": _reduced(np.mean), "Max": _reduced(np.max),
    "Min": _reduced(np.min), "Prod": _reduced(np.prod),
    "ArgMax": lambda _, values, axis: np.argmax(values, axis=int(axis)),
    "Shape": lambda _, values: np.asarray(values.shape, np.int32), "StridedSlice": _strided_slice, "Slice": _slice,
    "Pack": lambda attributes, *values: np.stack(values, axis=int(attributes["axis"].i)),
    "ConcatV2": lambda _, *values: np.concatenate(values[:-1], axis=int(values[-1])),
    "Fill": lambda _, shape, value: np.full(shape.tolist(), value),
    "BroadcastTo": lambda _, values, shape: np.broadcast_to(values, shape.tolist()),
    "Tile": lambda _, values, times: np.tile(values, times.tolist()),
    "Range": lambda _, first, end, step: np.arange(first, end, step),
    "Rank": lambda _, values: np.asarray(values.ndim, np.int32),
    "Size": lambda _, values: np.asarray(values.size, np.int32),
    "GatherV2": lambda _, values, places, axis: np.take(values, places, axis=int(axis)),
}
"""Of whole arrays, such as shapes and constants are computed by."""

OPERATIONS: dict[str, Operation] = {**ELEMENTWISE, **LAYERS, **OTHERS}
