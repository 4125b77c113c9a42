"""Report of a run: everything in its folder on one HTML page."""

from typing import TYPE_CHECKING

from models.lazy import public_face

if TYPE_CHECKING:
    from training.report.page import write_report as write_report

__getattr__, __dir__, __all__ = public_face(__name__, {
    "training.report.page": ("write_report",),
})
