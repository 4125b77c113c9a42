"""The encoder as C++: hls4ml conversion, the project's own top level, csim with g++, reports of vendor tools."""

from typing import TYPE_CHECKING

from models.lazy import public_face

if TYPE_CHECKING:
    from hls.backends import BACKENDS as BACKENDS
    from hls.conversion import convert as convert
    from hls.csim import run_csim as run_csim
    from hls.report import implementations as implementations

__getattr__, __dir__, __all__ = public_face(__name__, {
    "hls.backends": ("BACKENDS",),
    "hls.conversion": ("convert",),
    "hls.csim": ("run_csim",),
    "hls.report": ("implementations",),
})
