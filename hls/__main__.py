"""Command line of the C++ side: `python -m hls convert | csim | report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from hls.backends import BACKENDS
from models.errors import InputError, nearest, one_line_errors

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

ConfigFile = Annotated[Path, typer.Option(help="Configuration file (YAML).")]
WeightFile = Annotated[Path, typer.Option(help="weights.npz, or a register file of the chip (YAML).")]
BackendName = Annotated[str | None, typer.Option(help="vitis or catapult; default: the configuration's.")]


def _backend(given: str | None, configured: str) -> str:
    name = given or configured
    if name not in BACKENDS:
        raise InputError(f"--backend {name}, expected {' or '.join(BACKENDS)}{nearest(name, BACKENDS)}")
    return name


@app.command()
def convert(
    config: ConfigFile,
    weights: WeightFile,
    output: Annotated[Path, typer.Option(help="Folder of the project; an older project there is replaced.")],
    backend: BackendName = None,
) -> None:
    """Write the C++ project: hls4ml's network, the chip's chain around it, testbench, scripts for the vendor tool.

    Example: python -m hls convert --config configs/econ_t_5elink.yaml --weights runs/econ_t_5elink/weights.npz
    --output runs/econ_t_5elink/hls_vitis --backend vitis
    """
    with one_line_errors():
        from hls.conversion import convert as run
        from models.config import Config
        from models.register_weights import load_weights

        chosen = Config.load(config)
        name = _backend(backend, chosen.hls.backend)
        run(chosen, output, name, load_weights(weights, chosen.encoder))
        typer.echo(f"{name} project of {chosen.name} in {output}")


@app.command()
def csim(
    config: ConfigFile,
    weights: WeightFile,
    input: Annotated[list[str], typer.Option(help="CALQ file (CSV, Parquet) or folder; - is stdin.")],
    output: Annotated[str, typer.Option(help="Latents (CSV, Parquet); - is stdout.")],
    backend: BackendName = None,
    trace: Annotated[Path | None, typer.Option(help="Also write every stage to this .npz file.")] = None,
    order: Annotated[str | None, typer.Option(help="tc or image: order of the CALQ columns.")] = None,
) -> None:
    """Run all events of a file through the C++, compiled with g++ (once per spec and backend, then cached).

    Example: python -m hls csim --config configs/econ_t_5elink.yaml --weights runs/econ_t_5elink/weights.npz
    --input calq.csv --output latent.csv
    """
    with one_line_errors():
        from rich.console import Console
        from rich.progress import Progress

        from hls.cache import compiled
        from hls.csim import run_csim
        from hls.testbench import STAGES
        from models.calq_io import column_order, read_calq, write_latents
        from models.config import Config
        from models.files import atomic_path
        from models.register_weights import load_weights

        chosen = Config.load(config)
        codes = load_weights(weights, chosen.encoder)
        name = _backend(backend, chosen.hls.backend)
        calq = read_calq(input, column_order(order, chosen.data.order)).calq
        compiled(chosen, name)
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(f"csim ({name})", total=len(calq))
            stages = run_csim(chosen, codes, calq, name, keep=STAGES if trace else ["latent_code"],
                              progress=lambda n_events: bar.advance(task, n_events))
        if trace:
            content: dict[str, Any] = {"digest": np.array(chosen.encoder.digest()), **stages}
            with atomic_path(trace) as temporary, temporary.open("wb") as file:
                np.savez(file, **content)
        write_latents(output, stages["latent_code"])


@app.command()
def synth(
    config: ConfigFile,
    project: Annotated[Path, typer.Option(help="Project folder of `convert`.")],
    backend: BackendName = None,
) -> None:
    """Run the vendor tools on a project (for vitis: Vitis HLS, then Vivado); without them, say so and fail.

    Example: python -m hls synth --config configs/econ_t_5elink.yaml --project runs/econ_t_5elink/hls_vitis
    """
    with one_line_errors():
        import subprocess

        from models.config import Config
        from models.errors import ToolMissing

        chosen = Config.load(config)
        tool = BACKENDS[_backend(backend, chosen.hls.backend)]
        tool.check(chosen, project)
        if not (project / tool.script).exists():
            raise InputError(f"--project {project}: no {tool.script} in it, expected a {tool.name} project")
        if not tool.available():
            raise ToolMissing(f"synthesis with {tool.name} {tool.missing()}; {project / tool.script} is for a machine "
                              "that has it")
        for command in tool.commands():
            status = subprocess.run(command, cwd=project, check=False).returncode
            if status:
                raise SystemExit(status)


@app.command()
def report(
    config: ConfigFile,
    project: Annotated[list[str] | None, typer.Option(help="backend=folder of a synthesised project.")] = None,
) -> None:
    """Resources and latency, and which tool each figure comes from.

    Example: python -m hls report --config configs/econ_t_5elink.yaml --project vitis=runs/econ_t_5elink/hls_vitis
    """
    with one_line_errors():
        from rich.console import Console
        from rich.table import Table

        from hls.report import CHIP, counted, implementations
        from models.config import Config

        folders = {}
        for entry in project or []:
            name, _, folder = entry.partition("=")
            if name not in BACKENDS or not folder:
                raise InputError(f"--project {entry}, expected {' or '.join(f'{one}=FOLDER' for one in BACKENDS)}")
            folders[name] = Path(folder)
        chosen, console = Config.load(config), Console()
        quantities = Table("quantity", "value", "source", title=f"{chosen.name}: counted")
        for one in counted(chosen):
            quantities.add_row(one.quantity, one.value, one.source)
        table = Table("what", "figures", "by", title=f"{chosen.name}: implementations", show_lines=True)
        for row in [CHIP, *implementations(folders, chosen)]:
            table.add_row(row.name, row.summary(), row.tool)
        console.print(quantities, table)


if __name__ == "__main__":
    app()
