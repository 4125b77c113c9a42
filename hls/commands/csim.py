"""The command `csim`: from charges to latents, through the compiled C++."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from hls.cache import compiled
from hls.commands.options import BackendName, backend_name
from hls.csim import run_csim
from hls.testbench import STAGES
from models.calq_io import column_order, read_calq, write_latent_pieces, write_latents
from models.calq_stream import calq_pieces
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
    columns = column_order(order, chosen.data.order)
    # What is wrong with the first events is said before g++ takes its time.
    pieces = calq_pieces(input, columns) if trace is None else iter([read_calq(input, columns).calq])
    first = next(pieces)
    compiled(chosen, name)
    shown = SpinnerColumn(), TextColumn(f"csim ({name}): {{task.completed:,.0f}} events"), TimeElapsedColumn()
    with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("csim", total=None)
        run = partial(run_csim, chosen, codes, backend=name, progress=lambda n_events: bar.advance(task, n_events))
        if trace is None:
            write_latent_pieces(output, _latents(run, chain([first], pieces)))
            return
        stages = run(first, keep=STAGES)
    write_npz(trace, digest=chosen.encoder.digest(), **stages)
    write_latents(output, stages["latent_code"])


def _latents(
    run: Callable[..., dict[str, npt.NDArray[np.int32]]], pieces: Iterable[npt.NDArray[np.uint32]]
) -> Iterator[npt.NDArray[np.int32]]:
    for calq in pieces:
        yield run(calq, keep=["latent_code"])["latent_code"]
