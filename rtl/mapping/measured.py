"""Gate counts that come with the project, so that a size can be told without minutes of Yosys.

The weights of the encoder are registers: its block is the same for every training and, in the chip's arithmetic, for
every number of links. A count is used for a block if and only if it was measured on the same RTLIL with the same
passes. The files are what `econ-t rtl synth --config econ_t_5elink --technology T --json FILE` writes.
"""

from __future__ import annotations

from pathlib import Path

from models.spec import EncoderSpec
from rtl.design.chip import AutoencoderChip
from rtl.mapping.synthesis import SILICON, design_digest
from rtl.results import ChipSynthesis


def shipped(technology: str) -> ChipSynthesis | None:
    """The count of a technology that comes with the project, whichever block it is of."""
    return ChipSynthesis.find(Path(__file__).with_name(f"measured_{technology}.json"))


def measured(spec: EncoderSpec, technology: str) -> ChipSynthesis | None:
    """The count of the parallel block of this encoder; None if none was measured on the RTL as it is now."""
    found = shipped(technology)
    if found is None:
        return None
    top = AutoencoderChip(spec, "asic" if technology in SILICON else "fpga")
    if found.made_from != design_digest(top, technology):
        return None
    return found.model_copy(update=dict(top.describe()))
