"""Models of an encoder and of its chip: number formats, spec, weights, registers, trigger cells, file formats."""

from typing import TYPE_CHECKING

from models.lazy import public_face

__version__ = "0.1.0"

if TYPE_CHECKING:
    from models.calq_io import read_calq as read_calq
    from models.calq_io import write_calq as write_calq
    from models.chip import Algorithm as Algorithm
    from models.chip import Revision as Revision
    from models.config import Config as Config
    from models.dialects import Dialect as Dialect
    from models.errors import InputError as InputError
    from models.fixed_point import FixedPoint as FixedPoint
    from models.register_weights import load_weights as load_weights
    from models.registers import Registers as Registers
    from models.spec import EncoderSpec as EncoderSpec
    from models.weights import EncoderWeights as EncoderWeights

__getattr__, __dir__, __all__ = public_face(__name__, {
    "models.calq_io": ("read_calq", "write_calq"),
    "models.chip": ("Algorithm", "Revision"),
    "models.config": ("Config",),
    "models.dialects": ("Dialect",),
    "models.errors": ("InputError",),
    "models.fixed_point": ("FixedPoint",),
    "models.register_weights": ("load_weights",),
    "models.registers": ("Registers",),
    "models.spec": ("EncoderSpec",),
    "models.weights": ("EncoderWeights",),
})
