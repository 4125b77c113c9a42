"""The command `csim`: from charges to latents, through the compiled C++."""

from __future__ import annotations

from rich.console import Console
from rich.progress import Progress

from hls.cache import compiled
from hls.commands.options import BackendName, backend_name
from hls.csim import run_csim
from hls.testbench import STAGES
from models.calq_io import column_order, read_calq, write_latents
from models.configured import load_configured
from models.npz import write_npz
from models.options import CalqFiles, LatentFile, Order, TraceFile, WeightsConfig, WeightsFile


def csim(
    weights: WeightsFile,
    input: CalqFiles,
    output: LatentFile,
    config: WeightsConfig = None,
    backend: BackendName = None,
    trace: TraceFile = None,
    order: Order = None,
) -> None:
    """Run all events of a file through the C++, which g++ compiles once per spec and backend.

    Example: econ-t csim --weights runs/econ_t_5elink/weights.npz --input calq.csv --output latent.csv
    """
    chosen, codes = load_configured(weights, config)
    name = backend_name(backend, chosen.hls.backend)
    calq = read_calq(input, column_order(order, chosen.data.order)).calq
    compiled(chosen, name)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"csim ({name})", total=len(calq))
        stages = run_csim(chosen, codes, calq, name, keep=STAGES if trace else ["latent_code"],
                          progress=lambda n_events: bar.advance(task, n_events))
    if trace:
        write_npz(trace, digest=chosen.encoder.digest(), **stages)
    write_latents(output, stages["latent_code"])
