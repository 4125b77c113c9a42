"""Small results of each kind, as commands write them."""

from __future__ import annotations

from typing import Any, Literal

from emulator.results import CheckedSet, VectorCheck
from models.bit_comparison import BackendComparison, BitComparison, StageComparison
from models.config import Config
from models.provenance import Provenance
from models.spec import EncoderSpec
from rtl.results import BlockResult, ChipSynthesis, Design, PathPart, PlacedSeed, Placement, Resources, Utilisation
from training.results.evaluation import EmdMetrics, Evaluation
from training.results.pareto import ParetoPoint, ParetoScan


def chip_synthesis(spec: EncoderSpec, **changes: Any) -> ChipSynthesis:
    """The parallel design of one block, mapped to look-up tables."""
    resources = changes.pop("resources", Resources(lut=13, ff=6, carry=5))
    block = BlockResult(block="autoencoder_chip", instances=1, resources=resources, levels=40)
    fields: dict[str, Any] = {
        "technology": "xc7", "tool": "Yosys (pyosys 0.70)", "blocks": (block,), "levels": 40, "memory_bits": 0,
        "register_bits": 6, "digest": spec.digest(), "architecture": "parallel", "fold": 1, "interval_clocks": 1,
        "latency_clocks": 4, "redundant": False}
    return ChipSynthesis(**fields | changes)


def placement(spec: EncoderSpec, *mhz: float) -> Placement:
    """An encoder block with slices after place and route, a seed for each clock."""
    seeds = tuple(PlacedSeed(seed=k, fmax_mhz=one, critical_path=(PathPart(block="encoder", cells_ns=4, wires_ns=8),),
                             seconds=100) for k, one in enumerate(mhz, 1))
    used = Utilisation(lut=60000, lut_available=83640, ff=18000, ff_available=83640, pins=151, pins_available=365)
    design = Design(digest=spec.digest(), architecture="folded", fold=16, interval_clocks=16, latency_clocks=32,
                    redundant=False, pipelined=True)
    return Placement(made_from="0", name="RTL, pipelined, N = 16", digest=spec.digest(), design=design, device="LFE5U",
                     tool="nextpnr", target_mhz=80, levels=20, interval_clocks=16, latency_clocks=32, utilisation=used,
                     synthesis_seconds=60, seeds=seeds)


def bit_comparison(config: Config, weights: str, backend: str = "vitis", first_mismatch: str | None = None
                   ) -> BitComparison:
    """One stage of one backend, equal in 1,000 events unless a mismatch is given."""
    stage = StageComparison(stage="latent_code", n_values=16000, n_mismatches=0, n_events=0)
    return BitComparison(
        config=config.name, digest=config.encoder.digest(), weights=weights, arithmetic=config.encoder.arithmetic,
        n_events=1000, backends={backend: BackendComparison(stages=(stage,), first_mismatch=first_mismatch)})


def vector_check(second: Literal["explained", "different"] = "explained") -> VectorCheck:
    """An exact set and another one, made at another commit."""
    one = CheckedSet(name="data/AE", algorithm="AE", n_elinks=5, n_frames=5, n_exact=5, status="exact", reason="")
    other = one.model_copy(update={"name": "data/TS", "n_exact": 4, "status": second, "reason": "a reason"})
    made = Provenance(date="2026-01-01 00:00 UTC", version="0", commit="0123", host="h", command="c", tools={})
    return VectorCheck(sets=(one, other), made=made)


def emd_metrics(emd_mean: float | None = 1.25) -> EmdMetrics:
    """Of 1,000 modules, 7 of them empty."""
    return EmdMetrics(n_modules=1000, n_empty_input=7, n_empty_output=0, n_selected=900, emd_mean=emd_mean,
                      emd_median=None if emd_mean is None else 1.125, emd_q68=emd_mean, emd_mean_all=0.9,
                      emd_median_all=0.5, emd_q68_all=1.0)


def evaluation(config: Config, weights: str) -> Evaluation:
    return Evaluation(config=config.name, weights=weights, **dict(emd_metrics()))


def pareto_point(
    weight_bits: int, input_bits: int, nand2: int, emd_mean: float | None, digest: str = ""
) -> ParetoPoint:
    """A point of a scan around 6 bits of weights and 8 bits of input."""
    return ParetoPoint(name=f"{weight_bits}, {input_bits}", weight_bits=weight_bits, input_bits=input_bits,
                       digest=digest, own=(weight_bits, input_bits) == (6, 8), nand2=nand2, ff=1, emd_mean=emd_mean,
                       emd_median=emd_mean, n_modules=9)


def pareto_scan(*points: ParetoPoint) -> ParetoScan:
    return ParetoScan(config="name", epochs=1, tool="a tool", points=points)
