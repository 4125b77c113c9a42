"""Results, one pydantic model each: saved, loaded and used by attributes."""
