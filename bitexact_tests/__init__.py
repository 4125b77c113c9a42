"""The proof that models = emulator = HLS = the chip's published vectors."""
