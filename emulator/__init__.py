"""What the chip computes, in integers: the reference that HLS, RTL and training must equal. Needs NumPy alone."""

from typing import TYPE_CHECKING

from models.lazy import public_face

if TYPE_CHECKING:
    from emulator.chip import EconT as EconT
    from emulator.chip import Frames as Frames
    from emulator.decoding import decode as decode
    from emulator.encoder import encode as encode
    from emulator.formatter import Decoded as Decoded
    from emulator.trace import STAGES as STAGES
    from emulator.trace import Trace as Trace
    from emulator.verify import verify_sets as verify_sets

__getattr__, __dir__, __all__ = public_face(__name__, {
    "emulator.chip": ("EconT", "Frames"),
    "emulator.decoding": ("decode",),
    "emulator.encoder": ("encode",),
    "emulator.formatter": ("Decoded",),
    "emulator.trace": ("STAGES", "Trace"),
    "emulator.verify": ("verify_sets",),
})
