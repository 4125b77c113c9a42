"""Module charges for training: loading, selection, splits and augmentation."""

from typing import TYPE_CHECKING

from models.lazy import public_face

if TYPE_CHECKING:
    from training.data.dataset import Dataset as Dataset
    from training.data.dataset import split_rows as split_rows
    from training.data.modules import load_modules as load_modules
    from training.data.selection import occupancy_weights as occupancy_weights
    from training.data.selection import select as select

__getattr__, __dir__, __all__ = public_face(__name__, {
    "training.data.dataset": ("Dataset", "split_rows"),
    "training.data.modules": ("load_modules",),
    "training.data.selection": ("occupancy_weights", "select"),
})
