"""What the chip computes, in integers: the reference that HLS, RTL and training must equal. Needs NumPy alone."""

from emulator.encoder import encode
from emulator.trace import STAGES, Trace

__all__ = ["STAGES", "Trace", "encode"]
