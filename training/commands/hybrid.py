"""Command `hybrid`: codes with an address in place of latents."""

from __future__ import annotations

import logging

from models.console import result_console, write_csv
from models.options import ConfigFile, CsvFile, Settings
from training.commands.console import log_to_console, show_records
from training.commands.options import Epochs, StudyFolder, TrainingFiles
from training.commands.study import configured_study
from training.fit.run import Run


def hybrid(config: ConfigFile, output: StudyFolder = None, epochs: Epochs = 20, data: TrainingFiles = None,
           set_: Settings = None, csv: CsvFile = None) -> None:
    """Replace latents by the address of the largest cell, with equal bits: train, and compare the exact EMD.

    Writes hybrid.json. Example: econ-t hybrid --config configs/econ_t_2elink.yaml
    """
    log_to_console()
    chosen = configured_study(config, epochs, data, set_)
    from training.studies.hybrid import compare  # noqa: PLC0415  (starts TensorFlow, which is for good input)

    rows = compare(chosen, output or Run.of(chosen).hybrid_folder, logging.getLogger(__name__).info)
    show_records(result_console(csv), f"{chosen.name}: codes within the same number of bits", [
        {"code": row.code, "latents": row.n_latents, "bits each": row.latent_bits, "value bits": row.value_bits,
         "total": row.bits, "EMD": row.emd_mean, "EMD, all": row.emd_mean_all} for row in rows])
    if csv:
        write_csv(csv, [row.model_dump() for row in rows])
