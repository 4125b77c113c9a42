"""The command `encode`: charges to latents."""

from __future__ import annotations

from emulator.encoder import encode as run_encoder
from emulator.trace import STAGES
from models.calq_io import column_order, read_calq, write_latents
from models.configured import load_configured
from models.npz import write_npz
from models.options import CalqFile, LatentFile, Order, TraceFile, WeightsConfig, WeightsFile


def encode(
    weights: WeightsFile,
    input: CalqFile,
    output: LatentFile,
    config: WeightsConfig = None,
    trace: TraceFile = None,
    order: Order = None,
) -> None:
    """Encode module charges to latents.

    Example: econ-t encode --weights runs/econ_t_5elink/weights.npz --input calq.csv --output latent.csv
    """
    chosen, codes = load_configured(weights, config)
    table = read_calq(input, column_order(order, chosen.data.order))
    stages = run_encoder(codes, table.calq, keep=STAGES if trace else ["latent_code"])
    if trace:
        write_npz(trace, digest=chosen.encoder.digest(), **stages)
    write_latents(output, stages["latent_code"])
