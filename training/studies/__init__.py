"""Studies beyond one training: bit widths, searches, hybrid codes, upsets."""
