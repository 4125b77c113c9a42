"""What has to be said beside an EMD: modules that were trained on, and decoders that belong to other weights."""

from __future__ import annotations

from pathlib import Path

from models.calq_io import CalqTable
from training.data.dataset import n_known
from training.fit.run import Run
from training.networks.decoder_file import trained_with


def remarks_on(modules: CalqTable, run: Run, weights: str | None, decoder: Path | None = None) -> tuple[str, ...]:
    """Sentences about the EMD of these modules with the weights of a digest, from the folder of a run.

    `decoder`: file of the decoder, by default that of the run.
    """
    decoder = decoder or run.decoder_file
    found, other = [], trained_with(decoder)
    if other and weights and other != weights:
        found.append(f"{decoder} was trained with other weights, {other}, than these, {weights}: the EMD is not that "
                     "of an encoder with its decoder")
    for one in {run.folder: run, decoder.parent: Run(decoder.parent, new=True)}.values():
        n = n_known(modules.calq, one.trained_rows)
        if n:
            found.append(f"{one.name} was trained on {n:,} of the {len(modules.calq):,} modules of {modules.source}: "
                         "the EMD is not that of modules it has not seen")
    return tuple(found)
