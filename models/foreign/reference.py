"""The network of a foreign file as a function: what the imported encoder is held against."""

from __future__ import annotations

from models.arrays import Float64Array, IntArray
from models.errors import InputError
from models.fixed_point import FixedPoint
from models.foreign.layers import Network


def latents(network: Network, image_code: IntArray, form: FixedPoint) -> Float64Array:
    """The latents (n, outputs) that a network itself computes from image codes (n, 8, 8) of the format `form`.

    Raises ToolMissing without TensorFlow and QKeras, InputError for layers that they cannot run.
    """
    run = network.run
    if run is None:
        from models.foreign.qkeras_layers import rebuilt  # TensorFlow: seconds, and not in every installation

        run = rebuilt(network.layers, network.input_shape)
    images = form.value(image_code).reshape(len(image_code), *network.input_shape)
    try:
        return run(images).astype("float64")
    except InputError:
        raise
    except Exception as error:  # whatever TensorFlow has against a layer on this machine
        raise InputError(f"the network cannot be run here: {' '.join(str(error).split())[:200]}") from None
