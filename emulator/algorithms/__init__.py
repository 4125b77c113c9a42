"""The five algorithms of the chip."""
