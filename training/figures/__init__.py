"""Figures of training, comparison, upsets and scans."""

from typing import TYPE_CHECKING

from models.lazy import public_face

if TYPE_CHECKING:
    from training.figures.comparison import histogram as histogram
    from training.figures.comparison import profile as profile
    from training.figures.comparison import slices as slices
    from training.figures.pareto import area_against_emd as area_against_emd
    from training.figures.seu import critical_bits as critical_bits
    from training.figures.training import kernels as kernels
    from training.figures.training import learning_curves as learning_curves
    from training.figures.training import weight_histograms as weight_histograms
    from training.figures.wafer import draw_wafer as draw_wafer
    from training.figures.wafer import image_display as image_display
    from training.figures.wafer import wafer_display as wafer_display

__getattr__, __dir__, __all__ = public_face(__name__, {
    "training.figures.comparison": ("histogram", "profile", "slices"),
    "training.figures.pareto": ("area_against_emd",),
    "training.figures.seu": ("critical_bits",),
    "training.figures.training": ("kernels", "learning_curves", "weight_histograms"),
    "training.figures.wafer": ("draw_wafer", "image_display", "wafer_display"),
})
