"""The two layers with constant weights, by da4ml."""
