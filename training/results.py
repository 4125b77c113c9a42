"""What the files of a run must hold for those who read them: types of the keys that are used, all others are free."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hls.report import Implementation
from models.errors import InputError
from models.files import read_json


class Shape(BaseModel):
    """Keys of a JSON object; a number is not a text that looks like one."""

    model_config = ConfigDict(strict=True)


Numbers = Annotated[list[float], Field(min_length=1)]


class Summary(Shape):
    """fingerprint.json of a finished run."""

    epochs: int
    best_epoch: int
    n_train: int
    val_emd: float


class History(Shape):
    """history.json."""

    loss: Numbers
    val_loss: Numbers
    val_emd: list[float] = []


class Metrics(Shape):
    """metrics.json."""

    weights: str | None = None
    n_modules: int
    n_selected: int
    emd_mean: float | None
    emd_median: float | None


class _Stage(Shape):
    stage: str
    n_values: int
    n_mismatches: int
    n_events: int


class _Backend(Shape):
    equal: bool
    stages: list[_Stage]
    first_mismatch: str | None


class BitExactness(Shape):
    """compare.json."""

    weights: str | None = None
    backends: dict[str, _Backend]
    n_events: int


class _Options(Shape):
    min_charge: float


class _Metric(Shape):
    title: str
    best: str
    meaning: str
    span: list[float]
    edges: list[float]


class _Coordinate(Shape):
    name: str
    title: str
    edges: list[float]
    labels: list[str]


class _Values(Shape):
    mean: float | None
    error: float | None
    sigma: float | None
    n: int
    counts: list[int]


class _Profile(Shape):
    mean: list[float | None]
    error: list[float | None]


class _Scheme(Shape):
    name: str
    algorithm: Literal["AE", "BC", "STC", "TS", "RPT"]
    n_elinks: int
    detail: str
    bits: float
    link_occupancy: float
    cut_rate: float
    n_empty_output: int
    metrics: dict[str, _Values]
    profiles: dict[str, dict[str, _Profile]]


class _Margin(Shape):
    scheme: int
    behind: float
    error: float | None
    tie: bool


class _Verdict(Shape):
    n_elinks: int
    winner: int
    others: list[_Margin]


class _Map(Shape):
    scheme: int
    emd: float
    charge: list[float]


class _Display(Shape):
    n_elinks: int
    reason: str
    row: int
    true: list[float]
    latent: list[int] | None
    subject: int
    maps: list[_Map]


class Physics(Shape):
    """physics.json."""

    weights: dict[str, str] = {}
    data: str
    n_modules: int
    n_selected: int
    options: _Options
    metrics: dict[str, _Metric]
    coordinates: list[_Coordinate]
    schemes: list[_Scheme]
    verdict: Annotated[list[_Verdict], Field(min_length=1)]
    displays: list[_Display]


class _Point(Shape):
    name: str = ""
    weight_bits: int = 0
    input_bits: int = 0
    nand2: int = 0
    emd_mean: float | None = None
    n_modules: int = 0


class Pareto(Shape):
    """pareto.json."""

    points: list[_Point]
    epochs: int
    tool: str


class _Total(Shape):
    nand2: int
    ff: int


class Gates(Shape):
    """rtl_gates.json, as a scan over bit widths reads it."""

    tool: str
    total: _Total


class HybridCode(Shape):
    """One row of hybrid.json."""

    code: str
    n_latents: int
    latent_bits: int
    value_bits: int
    bits: int
    emd_mean: float | None
    emd_mean_all: float | None
    fingerprint: str


class Rtl(Shape):
    """rtl_*.json, as the hardware table reads it."""

    technology: str
    tool: str
    total: dict[str, int | float]
    fold: int
    interval_clocks: Annotated[int, Field(ge=1)]
    latency_clocks: int
    redundant: bool
    levels: Annotated[int, Field(ge=1)]


class Constant(BaseModel):
    """constant.json."""

    model_config = ConfigDict(extra="ignore")

    digest: str
    implementations: list[Implementation]


def read_as(path: Path, shape: type[BaseModel], optional: bool = False) -> dict[str, Any]:
    """The whole content of a JSON object of a shape, or an empty one for an optional file that is not there.

    Raises InputError that names the file and the first key that is missing or of another type.
    """
    if optional and not path.exists():
        return {}
    content = read_json(path)
    check(path, content, shape)
    return content


def check(path: Path, content: dict[str, Any], shape: type[BaseModel]) -> None:
    """Raises InputError unless `content`, read from `path`, has the shape."""
    try:
        shape.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "missing":
            raise InputError(f"{path}: key {key} is missing") from None
        raise InputError(f"{path}: {key}: {first['msg']} (given: {str(first['input'])[:60]})") from None
