"""Command line of the RTL: `python -m rtl verilog ...`, `sim`, `synth`, `activity`, `formal`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import typer

from models.errors import InputError, nearest, one_line_errors
from rtl.constant.command import constant

if TYPE_CHECKING:
    from models.config import Config
    from rtl.design.arithmetic import Target
    from rtl.design.chip import AutoencoderChip

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

ConfigFile = Annotated[Path, typer.Option(help="Configuration file (YAML).")]
Redundant = Annotated[bool, typer.Option("--redundant", help="Three copies of every register, with a vote.")]
TargetName = Annotated[Literal["asic", "fpga"], typer.Option(help="How sums are written: open, or for carry chains.")]
TechnologyName = Annotated[Literal["xc7", "xcup", "ecp5", "gates", "osu018"], typer.Option(help="What to map to.")]
Fold = Annotated[int | None, typer.Option(min=1, help="Clocks per event, instead of the configuration's rtl.fold.")]


def _chip(config: Config, target: Target, redundant: bool, fold: int | None) -> AutoencoderChip:
    from rtl.design.chip import AutoencoderChip

    return AutoencoderChip(config.encoder, target, redundant, fold or config.rtl.fold)


@app.callback()
def _commands() -> None:
    """The encoder block as open RTL: Verilog, simulation, synthesis, proofs."""


@app.command()
def verilog(
    config: ConfigFile,
    output: Annotated[Path, typer.Option(help="Verilog file to write.")],
    target: TargetName = "asic",
    redundant: Redundant = False,
    fold: Fold = None,
) -> None:
    """Write the Verilog of a configuration's encoder block.

    Example: python -m rtl verilog --config configs/econ_t_5elink.yaml --output encoder.v
    """
    with one_line_errors():
        from models.config import Config
        from models.files import atomic_path
        from rtl.mapping.yosys import write_verilog

        with atomic_path(output) as temporary:
            write_verilog(_chip(Config.load(config), target, redundant, fold), temporary)


@app.command()
def sim(
    config: ConfigFile,
    weights: Annotated[Path, typer.Option(help="weights.npz, or a register file of the chip (YAML).")],
    input: Annotated[str, typer.Option(help="CALQ file (CSV, Parquet) or folder; - is stdin.")],
    output: Annotated[str, typer.Option(help="Latents (CSV, Parquet); - is stdout.")],
    build: Annotated[Path, typer.Option(help="Folder for the Verilog and its compiled model.")],
    target: TargetName = "asic",
    redundant: Redundant = False,
    fold: Fold = None,
    order: Annotated[str | None, typer.Option(help="tc or image: order of the CALQ columns.")] = None,
) -> None:
    """Simulate: load the weights over the register bus, run every event through the Verilog, write the latents.

    Example: python -m rtl sim --config configs/econ_t_5elink.yaml --weights runs/econ_t_5elink/weights.npz
    --input calq.csv --output latent_rtl.csv --build runs/econ_t_5elink/rtl
    """
    with one_line_errors():
        from models.calq_io import column_order, read_calq, write_latents
        from models.config import Config
        from models.files import atomic_directory
        from models.register_weights import load_weights
        from rtl.simulation.bench import Bench, format_writes, weight_writes
        from rtl.simulation.simulate import Simulation

        chosen = Config.load(config)
        spec = chosen.encoder
        codes = load_weights(weights, spec)
        calq = read_calq(input, column_order(order, chosen.data.order)).calq
        top = _chip(chosen, target, redundant, fold)
        with atomic_directory(build, guarded=True) as folder:
            # Run here, not in `build`: another command may put its own model there.
            bench = Bench(top, Simulation.build(top, folder))
            setup = np.concatenate([bench.writing(weight_writes(codes)),
                                    bench.writing(format_writes(spec.ae_mask, spec.n_elinks))])
            clocks = np.concatenate([setup, bench.events(calq), bench.simulation.idle(top.latency)])
            found = bench.stages(bench.simulation.run(clocks, folder), len(setup), len(calq))
        write_latents(output, found["output_code"] >> (spec.dense.output.width - spec.latent_bits))


@app.command()
def synth(
    config: ConfigFile,
    output: Annotated[str, typer.Option(help="Summary to write (JSON); - is stdout.")],
    technology: TechnologyName = "xc7",
    redundant: Redundant = False,
    fold: Fold = None,
    netlists: Annotated[Path | None, typer.Option(help="Folder for the mapped blocks, for `activity`.")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for each block.")] = 600,
) -> None:
    """Synthesise every block once and count it as often as it is placed.

    Example: python -m rtl synth --config configs/econ_t_5elink.yaml --technology xc7 --output rtl_xc7.json
    """
    with one_line_errors():
        from models.config import Config
        from rtl.mapping.synthesis import SILICON, synthesise_chip

        target: Literal["asic", "fpga"] = "asic" if technology in SILICON else "fpga"
        top = _chip(Config.load(config), target, redundant, fold)
        synthesise_chip(top, technology, timeout, netlists).save(output)


@app.command()
def activity(
    config: ConfigFile,
    weights: Annotated[Path, typer.Option(help="weights.npz, or a register file of the chip (YAML).")],
    input: Annotated[str, typer.Option(help="CALQ file (CSV, Parquet) or folder; - is stdin.")],
    netlists: Annotated[Path, typer.Option(help="What `synth --technology gates --netlists` wrote.")],
    summary: Annotated[Path, typer.Option(help="JSON of the same run of `synth`; the activity is added to it.")],
    events: Annotated[int, typer.Option(min=1, help="Use the first so many events.")] = 6000,
    order: Annotated[str | None, typer.Option(help="tc or image: order of the CALQ columns.")] = None,
) -> None:
    """How often the gates of a mapped design change on events: a measure of its power without a cell library.

    Example: python -m rtl activity --config configs/econ_t_5elink.yaml --weights runs/econ_t_5elink/weights.npz
    --input calq.csv --netlists gates --summary rtl_gates.json
    """
    with one_line_errors():
        from models.calq_io import column_order, read_calq
        from models.config import Config
        from models.register_weights import load_weights
        from rtl.results import ChipSynthesis
        from rtl.simulation.activity import measure

        chosen = Config.load(config)
        design = ChipSynthesis.load(summary)
        for key, given, wanted in (("technology", design.technology, "gates"),
                                   ("digest", design.digest, chosen.encoder.digest())):
            if given != wanted:
                raise InputError(f"{summary}: {key} {given}, expected {wanted}")
        calq = read_calq(input, column_order(order, chosen.data.order)).calq[:events]
        top = _chip(chosen, "asic", design.redundant, design.fold)
        found = measure(top, netlists, load_weights(weights, chosen.encoder), calq)
        design.model_copy(update={"activity": found}).save(summary)


@app.command()
def formal(
    only: Annotated[list[str] | None, typer.Option(help="Name of a proof; may be repeated; default: all.")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for each proof.")] = 300,
) -> None:
    """Prove for all inputs that blocks equal a second description.

    Example: python -m rtl formal --only "mask of 16 bits"
    """
    with one_line_errors():
        from rtl.mapping.proofs import PROOFS, prove

        unknown = next((name for name in only or () if name not in PROOFS), None)
        if unknown is not None:
            raise InputError(f"--only '{unknown}'{nearest(unknown, PROOFS)}, expected one of {'; '.join(PROOFS)}")
        for name, proof in ((name, PROOFS[name]) for name in only or PROOFS):
            seconds = prove(proof, timeout)
            sys.stdout.write(f"{name}: equal for all inputs ({seconds:.1f} s)\n")


app.command()(constant)


if __name__ == "__main__":
    app()
