"""Training losses: distances between charge maps, and networks that have learned the EMD."""

from typing import TYPE_CHECKING

from models.lazy import public_face

if TYPE_CHECKING:
    from training.losses.charge_maps import emd as emd
    from training.losses.charge_maps import kernel as kernel
    from training.losses.charge_maps import sinkhorn as sinkhorn
    from training.losses.charge_maps import telescope as telescope
    from training.losses.charge_maps import weighted_mse as weighted_mse
    from training.losses.find import find_loss as find_loss
    from training.losses.learned import load_emd_loss as load_emd_loss
    from training.losses.learned import train_family as train_family

__getattr__, __dir__, __all__ = public_face(__name__, {
    "training.losses.charge_maps": ("emd", "kernel", "sinkhorn", "telescope", "weighted_mse"),
    "training.losses.find": ("find_loss",),
    "training.losses.learned": ("load_emd_loss", "train_family"),
})
