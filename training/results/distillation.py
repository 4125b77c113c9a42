"""Result of distilling compact decoders: distillation.json of `econ-t distill`."""

from __future__ import annotations

from typing import Any

from models.hardware import Implementation
from models.result import Result
from training.results.evaluation import EmdMetrics


class Teacher(Result):
    """The decoder in floating point that taught."""

    macs: int
    """Multiply-accumulates for one module."""
    metrics: EmdMetrics


class CompactPoint(Result):
    """A compact decoder, and its EMD."""

    name: str
    """Of its file, without the suffix."""
    budget: int
    """Multiply-accumulates that it was allowed."""
    macs: int
    """Multiply-accumulates that it has."""
    sizes: tuple[int, ...]
    """Number of inputs, then the units of each layer."""
    weight_bits: int
    digest: str
    """Of its spec, its weights and its encoder."""
    epochs: int
    val_emd: float
    """Mean of the validation rows after the epoch that was kept, in sensor-cell pitches."""
    metrics: EmdMetrics
    implementations: tuple[Implementation, ...] = ()
    """As constant logic, if it was made."""

    def luts(self, tool: str) -> int | None:
        """Look-up tables by a tool whose name begins like this; None if it did not count them."""
        return next((one.lut for one in self.implementations if one.tool.startswith(tool)), None)


class Distillation(Result):
    """Compact decoders of one encoder."""

    config: str
    encoder: str
    """Digest of the encoder's weights."""
    data: str
    """Where the modules of `metrics` come from."""
    share: float
    """Weight of the teacher in the loss."""
    teacher: Teacher
    points: tuple[CompactPoint, ...]

    def __repr__(self) -> str:
        names = ", ".join(point.name for point in self.points)
        return f"<Distillation of {self.config}: {names or 'nothing yet'}>"

    def records(self) -> list[dict[str, Any]]:
        """The teacher, which is in floating point and has no bits per weight, and each decoder as a flat record."""
        metrics = set(EmdMetrics.model_fields)
        teacher = {"decoder": "teacher", "macs": self.teacher.macs, "weight_bits": None, "luts": None, "val_emd": None}
        return [teacher | self.teacher.metrics.model_dump(include=metrics)] + [
            {"decoder": one.name, "macs": one.macs, "weight_bits": one.weight_bits,
             "luts": " ".join(str(row.lut) for row in one.implementations), "val_emd": one.val_emd}
            | one.metrics.model_dump(include=metrics) for one in self.points]

    def point(self, digest: str) -> CompactPoint | None:
        """The decoder of this digest, if it is here."""
        return next((one for one in self.points if one.digest == digest), None)
