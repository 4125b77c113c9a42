"""Result of evaluating an encoder with its decoder: metrics.json of `econ-t evaluate`."""

from __future__ import annotations

from pydantic import Field

from models.notebook import html_table
from models.result import FloatOrNone, Result
from models.trigger_cells import CALQ_PER_MIPT
from training.results.latents import LatentStatistics


class EmdMetrics(Result):
    """EMD of all modules and of the selected ones; None if there are no such modules."""

    n_modules: int = Field(description="modules read")
    n_empty_input: int = Field(description="modules without charge; they have no EMD")
    n_empty_output: int = Field(description="modules with charge whose decoded map has none; they have no EMD")
    n_selected: int = Field(
        description=f"modules with at least one cell above {CALQ_PER_MIPT} CALQ (one transverse MIP)")
    emd_mean: FloatOrNone = Field(description="mean EMD of the selected modules, in sensor-cell pitches")
    emd_error: FloatOrNone = Field(None, description="standard error of emd_mean")
    emd_median: FloatOrNone = Field(description="median EMD of the selected modules")
    emd_q68: FloatOrNone = Field(description="68% quantile of the EMD of the selected modules")
    emd_mean_all: FloatOrNone = Field(description="mean EMD of all modules that have one")
    emd_error_all: FloatOrNone = Field(None, description="standard error of emd_mean_all")
    emd_median_all: FloatOrNone = Field(description="median EMD of all modules that have one")
    emd_q68_all: FloatOrNone = Field(description="68% quantile of the EMD of all modules that have one")


class Evaluation(EmdMetrics):
    """EMD of the encoder of a configuration; an encoder of the chip also has the digest of its weights."""

    config: str
    weights: str | None = None
    data: str | None = None
    """Source of the modules, in words."""
    remarks: tuple[str, ...] = ()
    """What to know before the metrics are believed: modules that were trained on, a decoder of other weights."""
    latents: LatentStatistics | None = None
    """None for another network than the chip's, and in files of before."""

    def __repr__(self) -> str:
        emd = "no EMD" if self.emd_mean is None else f"mean EMD {self.emd_mean:.3f}"
        return f"<Evaluation of {self.config}: {emd} of {self.n_selected:,} of {self.n_modules:,} modules>"

    def _repr_html_(self) -> str:
        rows = [(name, getattr(self, name), meaning) for name, meaning in self.meanings().items()]
        return html_table(self.config, ("metric", "value", "meaning"), rows)

    def is_of(self, weights: str) -> bool:
        """Whether it was computed with the weights of this digest."""
        return self.weights == weights
