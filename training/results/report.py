"""Content of the report of a run as one result: `econ-t report --json`."""

from __future__ import annotations

from typing import ClassVar

from emulator.results import VectorCheck
from models.bit_comparison import BitComparison
from models.hardware import Implementation, Quantity
from models.provenance import Provenance
from models.result import Result
from training.results.comparison import Comparison
from training.results.evaluation import Evaluation
from training.results.latent_maps import LatentMaps
from training.results.pareto import ParetoScan
from training.results.run import History
from training.results.size import DecoderSize
from training.results.trigger import TriggerStudy


class About(Result):
    """Encoder of the run."""

    name: str
    n_elinks: int
    latent_bits: int
    arithmetic: str
    digest: str
    n_filters: int
    data: str
    """Modules that trained it, in words."""


class WeightCodes(Result):
    """An array of weights: its format, the range of its codes, and the codes in register order."""

    format: str
    codes: tuple[int, ...]
    min_code: int
    max_code: int


class Hardware(Result):
    """Resources and latency of each implementation."""

    counted: tuple[Quantity, ...]
    implementations: tuple[Implementation, ...]
    pareto: ParetoScan | None
    decoders: tuple[DecoderSize, ...] = ()


class Commands(Result):
    """Commands that make each part, with the files of the run."""

    bit_exactness: str
    rtl: str
    vectors: str
    metrics: str
    physics: str
    trigger: str
    size: str
    gates: str
    look_up_tables: str
    placed: str
    constant: str
    pareto: str


class Older(Result):
    """Advice for each part that was made from other weights than those of the run."""

    bit_exactness: str | None = None
    rtl: str | None = None
    metrics: str | None = None
    physics: str | None = None
    trigger: str | None = None


class ReportContent(Result):
    """Parts of a report; None for those that were not run, or with other weights, or not shipped."""

    indent: ClassVar[int | None] = None

    config: About
    bit_exactness: BitComparison | None
    rtl: BitComparison | None
    vectors: VectorCheck | None
    metrics: Evaluation | None
    physics: Comparison | None
    trigger: TriggerStudy | None = None
    latent_maps: LatentMaps | None = None
    older: Older
    commands: Commands
    history: History | None
    weights: dict[str, WeightCodes]
    hardware: Hardware
    formats: dict[str, str]
    made: Provenance
