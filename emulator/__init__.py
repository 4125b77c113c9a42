"""What the chip computes, in integers: the reference that HLS, RTL and training must equal. Needs NumPy alone."""

from emulator.chip import EconT, Frames
from emulator.decode import decode
from emulator.encoder import encode
from emulator.formatter import Decoded
from emulator.trace import STAGES, Trace

__all__ = ["STAGES", "Decoded", "EconT", "Frames", "Trace", "decode", "encode"]
