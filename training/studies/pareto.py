"""Area vs. EMD over bit widths: encoders that differ only in their widths, each trained and mapped to gates.

A folder holds one run per encoder. Trainings resume, and gate counts are stored with their provenance, so that an
interrupted scan loses little and a finished one is not repeated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from models.config import Config
from models.errors import InputError
from models.fixed_point import FixedPoint
from models.spec import EncoderSpec
from rtl.results import ChipSynthesis
from training.fit.run import PARETO_FILE, Run
from training.physics.evaluation import evaluate, shown
from training.results.evaluation import EmdMetrics
from training.results.pareto import ParetoPoint, ParetoScan

_TECHNOLOGY = "gates"
_SECONDS = 3600  # time limit per block, for wide weights on a busy machine
Widths = tuple[int, int]
"""Bits of weights and biases, and bits of the encoder's input."""


def scan(config: Config, weight_bits: Sequence[int], input_bits: Sequence[int]) -> list[Widths]:
    """Widths of a scan: each weight width with the configured input width, and each input width with its weights."""
    own = config.encoder.conv.weight.width, config.encoder.input.width
    weights, inputs = ((bits, own[1]) for bits in weight_bits), ((own[0], bits) for bits in input_bits)
    return list(dict.fromkeys([own, *weights, *inputs]))


def with_widths(spec: EncoderSpec, widths: Widths) -> EncoderSpec:
    """Change the widths of an encoder: integer bits stay, and products are cut to the same LSB where they have it.

    Raises InputError if there is no such encoder.
    """
    weight_bits, input_bits = widths
    try:
        data = _resized(spec.input, input_bits)
        changes: dict[str, Any] = {"input": data}
        for name, layer in (("conv", spec.conv), ("dense", spec.dense)):
            weight = _resized(layer.weight, weight_bits)
            changes[name] = {"weight": weight, "bias": _resized(layer.bias, weight_bits)}
            if layer.product is not None:
                fraction_bits = min(layer.product.fraction_bits, data.fraction_bits + weight.fraction_bits)
                changes[name]["product"] = _resized(layer.product, layer.product.integer_bits + fraction_bits)
            data = layer.output
        return spec.evolve(**changes)
    except ValueError as error:  # raised by a width or by the spec
        raise InputError(f"{weight_bits} bits of weights on {input_bits} bits of input: {error}") from None


def _resized(form: FixedPoint, width: int) -> FixedPoint:
    return replace(form, width=width)


def run_scan(
    config: Config, output: Path, widths: Iterable[Widths], report: Callable[[str], None] = lambda _text: None
) -> ParetoScan:
    """Train and map every encoder of a scan, the configuration's own first, and write `pareto.json` after each.

    `report` is called with one line per encoder. Raises InputError before any work if widths do not make an encoder.
    """
    configs = {pair: config.evolve(name=f"{config.name}_w{pair[0]}_i{pair[1]}",
                                   encoder=with_widths(config.encoder, pair)) for pair in widths}
    points: list[ParetoPoint] = []
    for (weight_bits, input_bits), chosen in configs.items():
        folder = output / f"w{weight_bits}_i{input_bits}"
        area = gates(chosen.encoder, folder)
        metrics = trained(chosen, folder)
        assert area.total.nand2 is not None
        assert area.total.ff is not None
        points.append(ParetoPoint(
            name=f"{weight_bits}-bit weights, {input_bits}-bit input", weight_bits=weight_bits, input_bits=input_bits,
            digest=chosen.encoder.digest(), own=chosen.encoder == config.encoder,
            nand2=area.total.nand2, ff=area.total.ff, emd_mean=metrics.emd_mean, emd_median=metrics.emd_median,
            n_modules=metrics.n_selected))
        scan = ParetoScan(config=config.name, epochs=config.training.epochs, tool=area.tool, points=tuple(points))
        scan.save(output / PARETO_FILE)
        report(f"{points[-1].name}: {points[-1].nand2:,} NAND2, mean EMD {shown(points[-1].emd_mean)}")
    return scan


def trained(config: Config, folder: Path) -> EmdMetrics:
    """Train in `folder`, and return the EMD of the held-out rows."""
    from training.fit.train import train  # noqa: PLC0415  (starts TensorFlow)

    train(config, folder)
    run = Run(folder, new=True)
    return evaluate(run.weights, run.decoder, run.test.calq)


def gates(spec: EncoderSpec, folder: Path) -> ChipSynthesis:
    """Count the gates of the whole block, as `econ-t rtl synth` does; the result is kept in `folder`."""
    from rtl.design.chip import AutoencoderChip  # noqa: PLC0415  (needs Amaranth)
    from rtl.mapping import yosys  # noqa: PLC0415  (needs Yosys)
    from rtl.mapping.synthesis import synthesise_chip  # noqa: PLC0415  (needs Amaranth)

    path = Run(folder, new=True).rtl_file(_TECHNOLOGY)
    made_from = _made_from(spec, yosys.version())
    kept = ChipSynthesis.find(path)
    if kept and kept.made_from == made_from:
        return kept
    try:
        found = synthesise_chip(AutoencoderChip(spec, "asic"), _TECHNOLOGY, _SECONDS)
    except ValueError as error:  # not supported by the RTL
        raise InputError(f"{folder.name}: {error}") from None
    found = found.model_copy(update={"made_from": made_from})
    found.save(path)
    return found


def _made_from(spec: EncoderSpec, tool: str) -> str:
    """Digest of everything that the gates depend on: spec, tool and the sources of the RTL."""
    state = hashlib.sha256(f"{spec.digest()} {tool}".encode())
    for path in sorted(Path(str(resources.files("rtl"))).glob("**/*.py")):
        state.update(path.read_bytes())
    return state.hexdigest()[:16]
