"""The encoder block of the chip as open RTL: Amaranth -> Verilog, Verilator simulation, Yosys synthesis and proofs."""

from typing import TYPE_CHECKING

from models.lazy import public_face

if TYPE_CHECKING:
    from rtl.design.chip import AutoencoderChip as AutoencoderChip
    from rtl.mapping.proofs import PROOFS as PROOFS
    from rtl.mapping.proofs import prove as prove
    from rtl.mapping.synthesis import synthesise as synthesise
    from rtl.mapping.yosys import write_verilog as write_verilog
    from rtl.simulation.simulate import Simulation as Simulation

__getattr__, __dir__, __all__ = public_face(__name__, {
    "rtl.design.chip": ("AutoencoderChip",),
    "rtl.mapping.proofs": ("PROOFS", "prove"),
    "rtl.mapping.synthesis": ("synthesise",),
    "rtl.mapping.yosys": ("write_verilog",),
    "rtl.simulation.simulate": ("Simulation",),
})
