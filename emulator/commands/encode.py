"""The command `encode`: charges to latents."""

from __future__ import annotations

from emulator.algorithms.autoencoder import Autoencoder
from emulator.encoder import encode as run_encoder
from emulator.trace import STAGES
from models.calq_io import column_order, read_calq, write_latents
from models.configured import load_configured
from models.npz import write_npz
from models.options import CalqFile, LatentFile, Order, TraceFile, WeightsConfig, WeightsFile
from models.register_weights import stored_mask


def encode(
    weights: WeightsFile,
    input: CalqFile,
    output: LatentFile,
    config: WeightsConfig = None,
    trace: TraceFile = None,
    order: Order = None,
) -> None:
    """Encode module charges to latents: the codes that are sent, as `chip decode` reads them.

    These are the top bits of each output that fit on the links; with a register file, those that its mask keeps.
    Example: econ-t encode --weights runs/econ_t_5elink/weights.npz --input calq.csv --output latent.csv
    """
    chosen, codes = load_configured(weights, config)
    table = read_calq(input, column_order(order, chosen.data.order))
    stages = run_encoder(codes, table.calq, keep=STAGES if trace else ["output_code", "latent_code"])
    if trace:
        write_npz(trace, digest=chosen.encoder.digest(), **stages)
    mask = stored_mask(weights, chosen.encoder.n_elinks)
    latent = stages["latent_code"]
    if mask is not None:
        latent = Autoencoder(chosen.encoder.n_elinks, mask, codes).latents(stages["output_code"]).astype(latent.dtype)
    write_latents(output, latent)
