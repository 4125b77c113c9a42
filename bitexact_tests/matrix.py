"""Every configuration with every family of weights through emulator, HLS and RTL, compared in all bits of all events.

The columns are implementations. Each is compiled once per configuration (RTL once per Verilog text: the number of links
is a register) and serves all families, because weights are registers everywhere.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bitexact_tests.comparison import compare_stages
from emulator import STAGES, EconT, encode
from hls.backends import BACKENDS
from hls.cache import cache_root
from hls.csim import run_csim
from models.arrays import IntArray
from models.config import Config
from models.dialects import Dialect
from models.errors import ToolFailed, ToolMissing
from models.register_weights import for_encoder
from models.spec import EncoderSpec
from models.trigger_cells import CALQ_BITS, IMAGE_SIZE, N_TRIGGER_CELLS, channel_to_pixel
from models.weights import EncoderWeights

Stages = Mapping[str, IntArray]

FOLD = 16
"""Clocks per event of the folded RTL: one pixel of the convolution after the other."""


def charges(n: int = 3000) -> npt.NDArray[np.uint32]:
    """`n` random modules of all sizes, and every extreme the image can have; (n + 123, 48)."""
    rng = np.random.default_rng(11)
    scale = 10 ** rng.uniform(0, 4.5, (n, 1))
    random = rng.exponential(scale, (n, 48)) * (rng.random((n, 48)) < rng.random((n, 1)))
    one_hot = np.eye(48) * 255
    flat = np.outer([0, 1, 2, 255, 256, (1 << 17) - 1, (1 << 22) - 1], np.ones(48))
    # Sums that wrap to a small number leave charges far beyond the range of the image.
    wrapped = np.where(np.arange(48) < 2, 1 << 21, rng.integers(0, 9, (20, 48)))
    random = np.minimum(random, (1 << CALQ_BITS) - 1)
    return np.concatenate([flat, one_hot, one_hot * 16000, wrapped, random]).astype(np.uint32)


@cache
def trained_codes() -> npt.NDArray[np.int64]:
    """Codes of a short training; weights of one budget are valid codes for every other."""
    from training.fit.run import Run
    from training.fit.train import train

    config = Config.load("econ_t_5elink").override(
        data={"source": "toy", "n_modules": 2000}, training={"epochs": 5, "final_fraction": 0})
    with tempfile.TemporaryDirectory() as folder:
        train(config, Path(folder))
        return Run(folder).weights.flat


FAMILIES: Mapping[str, Callable[[EncoderSpec], EncoderWeights]] = {
    "trained": lambda spec: EncoderWeights.from_flat(spec, trained_codes()),
    "zero": lambda spec: EncoderWeights.constant(spec, 0),
    "all -32": lambda spec: EncoderWeights.constant(spec, -32),
    "all 31": lambda spec: EncoderWeights.constant(spec, 31),
    "random": lambda spec: EncoderWeights.random(spec, 1),
    "sparse": lambda spec: EncoderWeights.random(spec, 2, density=0.1),
}

PRODUCTION = "production"
"""The emulator as the production chip, with settings and weights from its register file; for encoders of the chip."""
COLUMNS = (*BACKENDS, "rtl", "rtl folded", PRODUCTION)


def is_of_chip(spec: EncoderSpec) -> bool:
    """Whether the chip has this encoder."""
    return spec == EncoderSpec.chip(spec.n_elinks)


def run_production(weights: EncoderWeights, calq: IntArray) -> Stages:
    """Write the register file of the production chip, read it, and run the chip on charges behind its mux."""
    with tempfile.TemporaryDirectory() as folder:
        for_encoder(weights).save(Path(folder) / "init.yaml", Dialect.PRODUCTION)
        frames = EconT.from_yaml(Path(folder) / "init.yaml").run_calq(calq.astype(np.int64))
    stages = {name: stage for name, stage in frames.trace.items() if name in STAGES}
    return stages | {"words": frames.etx[:, :5].astype(np.int64)}


def reference(config: Config, weights: EncoderWeights, calq: IntArray) -> Stages:
    """The emulator's stages and, of an encoder as it is in the chip, the words of the frames, (n, 5)."""
    stages: dict[str, IntArray] = dict(encode(weights, calq))
    if is_of_chip(config.encoder):
        frames = EconT(for_encoder(weights)).run_calq(calq.astype(np.int64))
        stages["words"] = frames.etx[:, :5].astype(np.int64)
    return stages


def run_hls(config: Config, weights: EncoderWeights, calq: IntArray, backend: str) -> Stages:
    stages: dict[str, IntArray] = dict(run_csim(config, weights, calq, backend))
    return stages | {"words": stages["words"].view(np.uint32).astype(np.int64)}


@dataclass(frozen=True)
class Rtl:
    """A compiled chip."""

    bench: Any

    _building = threading.Lock()  # two configurations with the same Verilog: the second finds it compiled

    @classmethod
    def compiled(cls, spec: EncoderSpec, fold: int) -> Rtl:
        """From the cache, or made now in minutes."""
        from models.files import atomic_directory
        from rtl.design.chip import AutoencoderChip
        from rtl.mapping.yosys import write_verilog
        from rtl.simulation.bench import Bench
        from rtl.simulation.simulate import Simulation

        top = AutoencoderChip(spec, fold=fold)
        with tempfile.TemporaryDirectory() as name:
            write_verilog(top, Path(name) / "top.v")
            key = hashlib.sha256((Path(name) / "top.v").read_bytes())
        for source in ("simulate.py", "harness.cpp"):
            key.update((Path(__file__).parent.parent / "rtl" / "simulation" / source).read_bytes())
        folder = cache_root() / f"rtl-{key.hexdigest()[:16]}"
        with cls._building:
            if not folder.exists():
                with atomic_directory(folder) as temporary:
                    Simulation.build(top, temporary, timeout_seconds=3600)
        return cls(Bench(top, Simulation.built(top, folder)))

    def run(self, weights: EncoderWeights, calq: IntArray) -> Stages:
        """Load the weights over the register bus, then an event after the other."""
        from rtl.simulation.bench import format_writes, weight_writes

        bench, spec, n = self.bench, weights.spec, len(calq)
        setup = np.concatenate([bench.writing(weight_writes(weights)),
                                bench.writing(format_writes(spec.ae_mask, spec.n_elinks))])
        clocks = np.concatenate([setup, bench.events(calq, orbit_start=0), bench.simulation.idle(bench.top.latency)])
        with tempfile.TemporaryDirectory() as folder:
            outputs = bench.simulation.run(clocks, Path(folder))
        stages = bench.stages(outputs, len(setup), n)
        image = np.zeros((n, IMAGE_SIZE**2), dtype=np.int64)
        image[:, channel_to_pixel()] = stages["image_code"][:, :N_TRIGGER_CELLS]
        latent = stages["output_code"] >> (spec.dense.output.width - spec.latent_bits)
        return {"image_code": image.reshape(n, IMAGE_SIZE, IMAGE_SIZE), "hidden_code": stages["hidden_code"],
                "output_code": stages["output_code"], "latent_code": latent,
                "words": bench.frames(outputs, len(setup), n)}


@dataclass(frozen=True)
class Cell:
    """Events in which every stage is equal, and what the first mismatch is; or why there is no answer."""

    n_events: int
    n_equal: int
    stages: tuple[str, ...] = ()
    first: str = ""
    not_run: str = ""

    @property
    def equal(self) -> bool:
        return not self.first and not self.not_run

    def __str__(self) -> str:
        return self.not_run or (str(self.n_equal) if self.equal else
                                f"{self.n_equal} of {self.n_events}; first: {self.first.split(';')[0]}")


def compare(spec: EncoderSpec, calq: IntArray, expected: Stages, found: Stages) -> Cell:
    result = compare_stages(spec, calq, expected, found)
    equal = np.ones(len(calq), dtype=bool)
    for row in result.stages:
        differs = np.asarray(expected[row.stage]) != np.asarray(found[row.stage])
        equal &= ~differs.reshape(len(calq), -1).any(axis=1)
    return Cell(len(calq), int(equal.sum()), tuple(row.stage for row in result.stages), str(result.first or ""))


NOT_REACHED = "not reached"
Table = dict[tuple[str, str], dict[str, Cell]]


def run_matrix(
    configs: Sequence[Config], families: Sequence[str], columns: Sequence[str], n_events: int,
    seconds: float = float("inf"), report: Callable[[str], None] = lambda text: None,
) -> Table:
    """Cells by (configuration, family), then column.

    An encoder that the chip does not have has no cell of PRODUCTION. What has not begun after `seconds` is not reached;
    what has begun is finished. A missing tool is a cell too.
    """
    calq, end = charges(n_events), time.monotonic() + seconds
    weights = {(config.name, family): FAMILIES[family](config.encoder) for config in configs for family in families}
    expected = {(config.name, family): reference(config, weights[config.name, family], calq)
                for config in configs for family in families}
    table: Table = {key: {} for key in expected}

    def fill(job: tuple[str, Config]) -> None:
        column, config = job
        if column == PRODUCTION and not is_of_chip(config.encoder):
            return
        run: Callable[[EncoderWeights], Stages] | None = None
        for family in families:
            key = (config.name, family)
            if time.monotonic() > end:
                table[key][column] = Cell(len(calq), 0, not_run=NOT_REACHED)
                continue
            try:
                run = run or _implementation(column, config, calq)
                table[key][column] = compare(config.encoder, calq, expected[key], run(weights[key]))
            except (ToolMissing, ToolFailed) as error:
                table[key][column] = Cell(len(calq), 0, not_run=f"not run: {error}")
            report(f"{config.name}, {family}, {column}: {table[key][column]}")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, [(column, config) for config in configs for column in columns]))
    return table


def _implementation(column: str, config: Config, calq: IntArray) -> Callable[[EncoderWeights], Stages]:
    """A function from weights to stages; compiling is done in this call or the first one of it."""
    if column in BACKENDS:
        return lambda weights: run_hls(config, weights, calq, column)
    if column == PRODUCTION:
        return lambda weights: run_production(weights, calq)
    chip = Rtl.compiled(config.encoder, 1 if column == "rtl" else FOLD)
    return lambda weights: chip.run(weights, calq)
