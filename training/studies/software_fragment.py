"""Configuration of the experiment's concentrator for a set of exported graphs."""

from __future__ import annotations

from pprint import pformat
from typing import Any

from models.trigger_cells import IMAGE_TO_TC
from training.results.software import SoftwareTable

FRAGMENT_FILE = "econ_t_cff.py"
INSTALLED = "L1Trigger/L1THGCal/data/econ_t"
"""Where the fragment says that the graphs are, unless told otherwise."""

_NOT_EVERYWHERE = ("cellRemap", "cellRemapNoDuplicates", "bitsPerADC", "bitsPerNorm", "bitsPerCALQ", "useTransverseADC",
                   "useModuleFactor", "bitShiftNormalization", "normByMax", "skipAE")
"""Parameters that some versions have; the others do without them what they say."""


def parameters(table: SoftwareTable) -> dict[str, Any]:
    """Parameters that belong together, by the software's names; without the files of the graphs."""
    cells = IMAGE_TO_TC.ravel().tolist()
    return {
        "linkToGraphMap": list(table.link_to_graph), "bitsPerLink": list(table.bits_per_link),
        "encoderShape": [1, 8, 8, 1], "decoderShape": [1, table.decoder_inputs],
        "cellRemap": cells, "cellRemapNoDuplicates": cells,
        "bitsPerADC": 22, "bitsPerNorm": 12, "bitsPerCALQ": 23, "nBitsPerInput": 8, "maxBitsPerOutput": 9,
        "preserveModuleSum": not table.absolute, "zeroSuppresionThreshold": 0.1, "useTransverseADC": True,
        "useModuleFactor": False, "bitShiftNormalization": True, "normByMax": False, "skipAE": False,
        "saveEncodedValues": True,
    }


def fragment(table: SoftwareTable, installed: str, result_file: str) -> str:
    """Write the configuration as Python: the parameters, and a function that gives them to `CreateAutoencoder`.

    Values are plain, so that each parameter keeps the type of its version: `nBitsPerInput` is signed upstream and
    unsigned in the fork.
    """
    files = ",\n".join(
        f'    cms.PSet(encoderModelFile=cms.FileInPath("{installed}/{one.encoder_file}"),\n'
        f'             decoderModelFile=cms.FileInPath("{installed}/{one.decoder_file}"))' for one in table.classes)
    trained = "\n".join(f"#   graph {k}: {one.name}, trained for {one.n_elinks} links, {one.bits} bits per latent, "
                        f"weights {one.weights}" for k, one in enumerate(table.classes))
    untrained = ", ".join(map(str, table.untrained_links)) or "no number of"
    values = "\n".join(f"    {name}={pformat(value, width=10_000)}," for name, value in parameters(table).items())
    return f"""# Written by `econ-t export --cmssw`. All follow from the table in {result_file}: edit none alone.
#
{trained}
#
# No graph is trained for the bits of {untrained} links; the software needs an entry for each number.
# {"Decoders give charges whose sum is the module sum once the software has added half a CALQ per cell."
   if table.absolute else "Decoders give fractions, which the software scales to the module sum."}
#
# Use: econ_t_concentrator(CreateAutoencoder). Some versions of the fork copy the image into the encoder's input only
# with verbose above 0: there it is econ_t_concentrator(CreateAutoencoder, verbose=1).
import inspect

import FWCore.ParameterSet.Config as cms

econ_t_model_files = cms.VPSet(
{files},
)

econ_t_parameters = dict(
    modelFiles=econ_t_model_files,
{values}
)

econ_t_not_everywhere = {_NOT_EVERYWHERE}


def econ_t_concentrator(create, **more):
    known = inspect.signature(create).parameters
    return create(**{{name: value for name, value in econ_t_parameters.items()
                     if name in known or name not in econ_t_not_everywhere}}, **more)
"""
