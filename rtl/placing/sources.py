"""What is placed: the encoder block, a project of layers with constant weights, or a decoder to reload."""

from __future__ import annotations

import re
from pathlib import Path

from models.compact_decoder import CompactDecoder
from models.errors import InputError
from rtl.constant.project import TOP
from rtl.design.chip import AutoencoderChip
from rtl.design.decoder import ReloadableDecoder
from rtl.mapping import yosys
from rtl.placing.flow import Source
from rtl.placing.harness import ConstantHarness, DecoderHarness, EncoderHarness
from rtl.results import RELOADABLE_FILE, ConstantSynthesis, ReloadableDesign


def encoder_source(chip: AutoencoderChip, folder: Path) -> Source:
    """The encoder block between shift registers; its RTL is written to `folder`."""
    harness = EncoderHarness(chip)
    files = yosys.export(harness, folder)
    kind = "pipelined" if chip.pipelined else "folded" if chip.fold > 1 else "parallel"
    copies = ", registers in three copies" if chip.redundant else ""
    return Source(f"RTL, {kind}, N = {chip.fold}{copies}", chip.spec.digest(), chip.describe(), harness.module_name,
                  chip.interval, chip.latency, ("read_rtlil",) * len(files), tuple(files))


def project_source(project: Path, folder: Path) -> Source:
    """A project of `econ-t rtl decoder` or `constant` between shift registers, whose RTL is written to `folder`.

    Raises InputError if it is none.
    """
    if (project / RELOADABLE_FILE).is_file():
        return _reloadable_source(project, folder)
    kept = ConstantSynthesis.load(project / "constant.json")
    path = project / "src" / f"{TOP}.v"
    if not path.is_file():
        raise InputError(f"{path}: not found, expected the Verilog of `econ-t rtl decoder` or `econ-t rtl constant`")
    text = path.read_text(encoding="utf-8")
    bits = [re.search(rf"{way} \[(\d+):0\] {port}\b", text)
            for way, port in (("input", "model_inp"), ("output reg", "model_out"))]
    if None in bits:
        raise InputError(f"{path}: no port model_inp or model_out, expected both as vectors")
    harness = ConstantHarness(TOP, *(int(found[1]) + 1 for found in bits if found))
    own = yosys.export(harness, folder)
    sources = sorted((project / "src").glob("**/*.v"))
    # Deferred: some of da4ml's modules are complete only with their parameters.
    reading = ("read_verilog -defer",) * len(sources) + ("read_rtlil",) * len(own)
    first = kept.implementations[0]
    return Source(first.name, kept.digest, None, harness.module_name, first.interval_cycles or 1, kept.stages + 1,
                  reading, (*sources, *own))


def _reloadable_source(project: Path, folder: Path) -> Source:
    """A decoder without its weights: shapes and formats alone count."""
    kept = ReloadableDesign.load(project / RELOADABLE_FILE)
    spec = CompactDecoder.load(project / "decoder.npz").spec
    if spec.digest() != kept.digest:
        raise InputError(f"{project / RELOADABLE_FILE}: digest {kept.digest}, expected {spec.digest()} of decoder.npz; "
                         "run econ-t rtl decoder again")
    decoder = ReloadableDecoder(spec)
    harness = DecoderHarness(decoder)
    files = yosys.export(harness, folder)
    return Source("RTL, decoder with weights to reload", kept.digest, None, harness.module_name, decoder.interval,
                  decoder.latency, ("read_rtlil",) * len(files), tuple(files), hard=True)
