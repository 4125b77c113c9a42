"""Input files of the benchmarks of memory, of any number of modules: `python -m bitexact_tests.bench.inputs FOLDER N`.

100,000 modules of the simple generator, at places drawn evenly from the geometry, written over and over.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from emulator.links import ERX
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from training.production.geometry import modules
from training.production.modules import charges_to_arrow
from training.production.stream import open_writer
from training.production.toy import generate

_DISTINCT = 100_000


def make(folder: Path, n_modules: int) -> None:
    """Write calq.parquet with the places of modules, erx.csv and init.yaml for the chip, and weights.npz."""
    from models.register_weights import for_encoder

    rng = np.random.default_rng(1)
    n_distinct = min(n_modules, _DISTINCT)
    which = rng.integers(len(modules().layer), size=n_distinct)
    places = pd.DataFrame({"layer": modules().layer[which], "waferu": modules().u[which], "waferv": modules().v[which]})
    table = charges_to_arrow(generate(n_distinct, seed=1), places, "tc")
    words = ERX.rows(rng.integers(0, 1 << 32, (n_distinct, ERX.n_links), dtype=np.uint32)).encode()
    with open_writer(folder / "calq.parquet") as writer, (folder / "erx.csv").open("wb") as erx:
        erx.write(ERX.header().encode())
        for start in range(0, n_modules, n_distinct):
            rows = min(n_distinct, n_modules - start)
            writer.write(table.slice(0, rows))
            erx.write(words[: rows * len(words) // n_distinct])
    weights = EncoderWeights.random(EncoderSpec.chip(5), 1)
    weights.save(folder / "weights.npz")
    for_encoder(weights).save(folder / "init.yaml")


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
