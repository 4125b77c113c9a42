"""What one inference of the encoder costs: multiplications, and bits that they move."""

from __future__ import annotations

import math

from pydantic import Field

from models.result import Result
from models.spec import EncoderSpec
from models.trigger_cells import IMAGE_SIZE


class Cost(Result):
    """Exact counts."""

    parameters: int = Field(description="weights and biases")
    parameter_bits: int = Field(description="bits of all weights and biases, the size of the chip's registers")
    macs: int = Field(
        description="multiply-accumulates, zero padding of the convolution counted as in hardware")
    macs_in_image: int = Field(description="of these, those whose pixel is inside the image")
    flops: int = Field(
        description="two for every multiply-accumulate inside the image, one for every bias and every ReLU")
    bit_operations: int = Field(description="sum over all multiply-accumulates of data bits x weight bits")


def macs_in_image(spec: EncoderSpec) -> tuple[int, int]:
    """Multiply-accumulates of the convolution, those with padding left out, and of the dense layer."""
    conv = spec.conv
    before, _ = conv.padding
    inside = sum(
        0 <= step * conv.stride + cell - before < IMAGE_SIZE
        for step in range(conv.size) for cell in range(conv.kernel)
    )
    return inside**2 * conv.filters, spec.n_hidden * spec.dense.outputs


def cost(spec: EncoderSpec) -> Cost:
    """Cost of one inference."""
    conv, dense = spec.conv, spec.dense
    conv_inside, dense_macs = macs_in_image(spec)
    conv_macs = (conv.size * conv.kernel) ** 2 * conv.filters
    sizes = {name: math.prod(shape) for name, shape in spec.weight_shapes.items()}
    return Cost(
        parameters=sum(sizes.values()),
        parameter_bits=sum(size * spec.weight_formats[name].width for name, size in sizes.items()),
        macs=conv_macs + dense_macs,
        macs_in_image=conv_inside + dense_macs,
        flops=2 * (conv_inside + dense_macs) + 2 * (spec.n_hidden + dense.outputs),
        bit_operations=conv_macs * spec.input.width * conv.weight.width
        + dense_macs * conv.output.width * dense.weight.width)
