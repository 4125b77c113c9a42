"""The command `decoder`: a compact decoder with its weights as constants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.compact_decoder import CompactDecoder
from models.config import Config
from models.errors import InputError
from models.files import atomic_directory, write_text
from models.options import ConfigFile, DecoderFile, Force
from models.wording import counted
from rtl.commands.console import tell, tell_sizes, waiting
from rtl.results import RELOADABLE_FILE, ConstantSynthesis

_STAGES = 4
RESULT_FILE, VERILOG_FILE = "constant.json", "decoder.v"


def decoder(
    decoder: DecoderFile,
    output: Annotated[Path, typer.Option(help="Project folder; an older one of the same decoder is replaced.")],
    config: ConfigFile = Path("econ_t_5elink"),
    stages: Annotated[int | None, typer.Option(min=1, help="Pipeline stages; default: 4.")] = None,
    reloadable: Annotated[bool, typer.Option("--reloadable", help="Weights in memories that can be loaded at any "
                                                                  "time: one input per clock.")] = False,
    synthesise: Annotated[bool, typer.Option(help="Also map the Verilog with Yosys; takes minutes.")] = True,
    timeout: Annotated[float, typer.Option(min=1, help="Time limit for each stage, in seconds.")] = 3600,
    force: Force = False,
) -> None:
    """Write a compact decoder with its weights as constants: Verilog and vendor scripts by da4ml, and their size.

    Its input is the frame's latents, the first one lowest, then the 9-bit code of the module sum. The configuration
    names part and clock alone. With --reloadable, Verilog for any weights of the same shapes and formats, and
    weights.csv, what to write to load these. Example: econ-t rtl decoder
    --decoder runs/econ_t_5elink/compact/compact_3k.npz --output runs/econ_t_5elink/compact/compact_3k
    """
    found = CompactDecoder.load(decoder)
    if reloadable:
        if stages:
            raise InputError("--stages and --reloadable exclude each other: it takes an input in each clock")
        _write_reloadable(found, output, force)
        return
    from rtl.constant.project import ConstantProject, mapped, rows  # noqa: PLC0415  (Amaranth, which --help does without)

    chosen = Config.load(config)
    stages = stages or _STAGES
    kept = _mapping(output, force)
    if kept and (not synthesise or (kept.digest, kept.stages) != (found.digest(), stages)):
        raise _other(output)
    with atomic_directory(output, guarded=True) as folder:
        project = ConstantProject.write(found, folder, stages, chosen.hls.part, chosen.hls.clock_period_ns)
        with waiting("mapping the Verilog with Yosys"):
            measured = mapped(project, timeout) if synthesise else None
        listed = rows(project, chosen.hls.clock_period_ns, measured, f"RTL, {decoder.stem} with weights as constants")
        found.save(folder / "decoder.npz")
        result = ConstantSynthesis(digest=found.digest(), stages=project.stages, implementations=listed)
        result.save(folder / RESULT_FILE)
    tell_sizes(listed)


def _mapping(output: Path, force: bool) -> ConstantSynthesis | None:
    """A mapping in the folder, which took minutes; with `force`, none counts."""
    kept = None if force else ConstantSynthesis.find(output / RESULT_FILE)
    return kept if kept and len(kept.implementations) > 1 else None


def _other(output: Path) -> InputError:
    return InputError(f"{output}: holds a mapping with other weights or options; choose another --output, or give "
                      "--force to replace it")


def _write_reloadable(found: CompactDecoder, output: Path, force: bool) -> None:
    from rtl.design.decoder import ReloadableDecoder  # noqa: PLC0415  (Amaranth, which --help does without)
    from rtl.mapping.yosys import write_verilog  # noqa: PLC0415

    if _mapping(output, force):
        raise _other(output)
    top = ReloadableDecoder(found.spec)
    with atomic_directory(output, guarded=True) as folder:
        write_verilog(top, folder / VERILOG_FILE)
        pairs = zip(*top.weight_writes(found), strict=True)
        write_text(folder / "weights.csv", "".join(["address,weight\n", *(f"{one},{two}\n" for one, two in pairs)]))
        found.save(folder / "decoder.npz")
        top.summary().save(folder / RELOADABLE_FILE)
    tell(f"{top.module_name}: {counted(top.summary().multipliers, 'multiplier')}, {top.summary().memory_bits:,} bits "
         f"of memory, a module every {counted(top.interval, 'clock')}, its first charge after {top.latency}")
