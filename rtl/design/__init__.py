"""The design in Amaranth: arithmetic, layers, encoders, formatter, registers."""
