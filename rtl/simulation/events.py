"""Events through the simulated Verilog of the encoder block, from charges to the stages that its ports show."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.arrays import IntArray
from models.trigger_cells import IMAGE_SIZE, channel_to_pixel
from models.weights import EncoderWeights
from rtl.design.chip import AutoencoderChip
from rtl.simulation.bench import Bench, format_writes, weight_writes
from rtl.simulation.simulate import Simulation


def simulate_events(top: AutoencoderChip, weights: EncoderWeights, calq: IntArray, folder: Path) -> dict[str, IntArray]:
    """Compile the block in `folder`, load the weights over the register bus, and run charges (n, 48) in image order.

    Returns image_code (n, 8, 8), hidden_code, output_code and latent_code (n, values).
    """
    spec = top.spec
    bench = Bench(top, Simulation.build(top, folder))
    setup = np.concatenate([bench.writing(weight_writes(weights)),
                            bench.writing(format_writes(spec.ae_mask, spec.n_elinks))])
    clocks = np.concatenate([setup, bench.events(calq), bench.simulation.idle(top.latency)])
    found: dict[str, IntArray] = {**bench.stages(bench.simulation.run(clocks, folder), len(setup), len(calq))}
    image = np.zeros((len(calq), IMAGE_SIZE**2), dtype=np.int64)  # the block has no wires for pixels without a cell
    image[:, channel_to_pixel()] = found["image_code"]
    found["image_code"] = image.reshape(-1, IMAGE_SIZE, IMAGE_SIZE)
    found["latent_code"] = found["output_code"] >> (spec.dense.output.width - spec.latent_bits)
    return found
