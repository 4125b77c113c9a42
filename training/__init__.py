"""Training: data, losses, fits in the chip's arithmetic, physics performance, studies and the report."""

from typing import TYPE_CHECKING

from models.lazy import public_face

if TYPE_CHECKING:
    from training.data.dataset import Dataset as Dataset
    from training.fit.compare import compare as compare
    from training.fit.run import Run as Run
    from training.fit.train import train as train
    from training.fit.trainer import Trainer as Trainer
    from training.physics.emd import emd as emd
    from training.physics.evaluation import evaluate as evaluate
    from training.production.toy import generate as generate
    from training.report.page import write_report as write_report

__getattr__, __dir__, __all__ = public_face(__name__, {
    "training.data.dataset": ("Dataset",),
    "training.fit.compare": ("compare",),
    "training.fit.run": ("Run",),
    "training.fit.train": ("train",),
    "training.fit.trainer": ("Trainer",),
    "training.physics.emd": ("emd",),
    "training.physics.evaluation": ("evaluate",),
    "training.production.toy": ("generate",),
    "training.report.page": ("write_report",),
})
