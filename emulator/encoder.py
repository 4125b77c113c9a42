"""The encoder in integers, written from the chip's specification: normaliser, convolution, dense layer, latents.

Charges come in the order after the chip's mux. The work is done in blocks that fit the cache, events along the last
axis, so that every NumPy operation runs over contiguous events.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.trace import STAGES, Trace
from models.arrays import IntArray
from models.fixed_point import FixedPoint
from models.trigger_cells import CALQ_BITS, IMAGE_SIZE, N_TRIGGER_CELLS, channel_to_pixel

if TYPE_CHECKING:  # the emulator itself needs NumPy alone
    from models.spec import ConvFormats, LayerFormats
    from models.weights import EncoderWeights


_BLOCK = 1024  # events; the largest temporary is then 256 kB


def encode(weights: EncoderWeights, calq: IntArray, keep: Collection[str] = STAGES) -> Trace:
    """Run the encoder that the weights are of.

    calq: (n, 48) unsigned, at most 22 bits each, in the order after the mux. Returns a Trace with the stages named in
    `keep`: module_sum (n,), shift (n,), image_code (n, 8, 8), conv_sum (n, rows, columns, filters), hidden_code
    (n, hidden), dense_sum (n, outputs), output_code (n, outputs) and latent_code (n, outputs), all codes of the formats
    of `weights.spec`. Raises ValueError on a wrong shape, type or range.

    Examples:
        >>> import numpy as np
        >>> from emulator import encode
        >>> from models import load_weights
        >>> trace = encode(load_weights("econ_t_5elink"), np.full((2, 48), 100))
        >>> trace["module_sum"].tolist(), trace["latent_code"].shape
        ([4800, 4800], (2, 16))
    """
    calq = np.asarray(calq)
    if calq.shape[1:] != (N_TRIGGER_CELLS,) or calq.dtype.kind not in "iu":
        raise ValueError(f"calq is {calq.dtype}{calq.shape}, expected integers of shape (n, {N_TRIGGER_CELLS})")
    if calq.size and (calq.min() < 0 or calq.max() >> CALQ_BITS):
        raise ValueError(f"calq spans {calq.min()}..{calq.max()}, expected 0..{(1 << CALQ_BITS) - 1}")
    starts = range(0, max(len(calq), 1), _BLOCK)
    return Trace.concatenate([_encode_block(weights, calq[i : i + _BLOCK], keep) for i in starts])


def _encode_block(weights: EncoderWeights, calq: IntArray, keep: Collection[str]) -> Trace:
    spec = weights.spec
    conv, dense = spec.conv, spec.dense
    module_sum, shift, image = normalise(spec.input, calq.T.astype(np.int64))
    patches = patches_of(conv, image)
    conv_sum = _layer_sum(conv, spec.input, patches, weights.conv_kernel.reshape(-1, conv.filters), weights.conv_bias)
    hidden = activate(conv, spec.input, conv_sum).reshape(spec.n_hidden, 1, -1)
    dense_sum = _layer_sum(dense, conv.output, hidden, weights.dense_kernel, weights.dense_bias)[0]
    output = activate(dense, conv.output, dense_sum)
    latent = output >> (dense.output.width - spec.latent_bits)  # the mask sends the top bits
    events_last = {
        "module_sum": module_sum,
        "shift": shift,
        "image_code": image,
        "conv_sum": conv_sum.reshape(conv.size, conv.size, conv.filters, -1),
        "hidden_code": hidden[:, 0],
        "dense_sum": dense_sum,
        "output_code": output,
        "latent_code": latent,
    }
    return Trace({
        stage: np.ascontiguousarray(np.moveaxis(array, -1, 0), dtype=np.int32)
        for stage, array in events_last.items() if stage in keep
    })


def normalise(data: FixedPoint, calq: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Divide the charges of each module by the power of two at or below its sum.

    calq: (48, n) int64. Returns module_sum (n,), shift (n,) and the image codes (8, 8, n) in the format `data`; an
    empty module gives zeros.
    """
    module_sum = calq.sum(axis=0) & ((1 << CALQ_BITS) - 1)
    # frexp is exact: the sum has 22 bits, a double holds 53. The exponent of 0 is 0, which leaves 0 >> 0 = 0.
    shift = np.maximum(np.frexp(module_sum.astype(np.float64))[1] - 1, 0)
    code = data.requantize((calq << data.fraction_bits) >> shift, data.fraction_bits)
    code[:, module_sum == 0] = 0
    image = np.zeros((IMAGE_SIZE * IMAGE_SIZE, calq.shape[1]), dtype=np.int64)
    image[channel_to_pixel()] = code
    return module_sum, shift, image.reshape(IMAGE_SIZE, IMAGE_SIZE, -1)


def patches_of(conv: ConvFormats, image: IntArray) -> IntArray:
    """The pixels under each kernel cell, (kernel cells, output pixels, n)."""
    padding = (conv.padding, conv.padding, (0, 0))
    padded = np.pad(image, padding)
    steps = range(conv.kernel)
    end = (conv.size - 1) * conv.stride + 1
    cells = [padded[r : r + end : conv.stride, c : c + end : conv.stride] for r in steps for c in steps]
    return np.stack(cells).reshape(conv.kernel**2, conv.size**2, -1)


def _layer_sum(
    layer: LayerFormats, data: FixedPoint, code: IntArray, weight: IntArray, bias: IntArray
) -> IntArray:
    """Sum of the (cut) products and the bias; code (k, pixels, n), weight (k, m), bias (m,) -> (pixels, m, n)."""
    fraction_bits = layer.product_fraction_bits(data)
    cut = data.fraction_bits + layer.weight.fraction_bits - fraction_bits
    aligned_bias = bias.astype(np.int64)[:, None] << (fraction_bits - layer.bias.fraction_bits)
    largest = data.max_code * -layer.weight.min_code
    products = floored_products(code, weight, cut, largest) if cut else exact_products(code, weight, largest)
    return products + aligned_bias


def exact_products(code: IntArray, weight: IntArray, largest: int) -> IntArray:
    """Sum over k of code * weight: (k, pixels, n) and (k, m) -> (pixels, m, n) int64.

    The integers travel through a floating-point matrix product, which is many times faster than NumPy's integer one;
    it is exact, because no partial sum needs more bits than the mantissa (`largest` bounds one product), and of a spec
    never more than 31.
    """
    real = np.float32 if len(weight) * largest < 1 << 24 else np.float64
    product: IntArray = np.matmul(weight.T.astype(real), code.astype(real).swapaxes(0, 1)).astype(np.int64)
    return product


def floored_products(code: IntArray, weight: IntArray, cut: int, largest: int) -> IntArray:
    """Sum over k of (code * weight) >> cut: (k, pixels, n) and (k, m) -> (pixels, m, n) int64.

    `largest` bounds one product. Works in 16 bits where they hold the products, for as many terms as their sum fits.
    """
    small: type[np.signedinteger[Any]] = np.int16 if largest < 1 << 15 else np.int64
    terms = max(np.iinfo(small).max // max(-(-largest >> cut), 1), 1)
    narrow, factors = code.astype(small), weight.astype(small)[:, :, None]
    total = np.zeros((code.shape[1], weight.shape[1], code.shape[2]), dtype=np.int64)
    product, partial = np.empty_like(total, dtype=small), np.empty_like(total, dtype=small)
    for start in range(0, len(weight), terms):
        partial[:] = 0
        for k in range(start, min(start + terms, len(weight))):
            np.multiply(narrow[k, :, None, :], factors[k], out=product)
            np.right_shift(product, small(cut), out=product)
            np.add(partial, product, out=partial)
        total += partial
    return total


def activate(layer: LayerFormats, data: FixedPoint, total: IntArray) -> IntArray:
    """ReLU, then the rounding and the limits of the layer's output format."""
    return layer.output.requantize(np.maximum(total, 0), layer.product_fraction_bits(data))
