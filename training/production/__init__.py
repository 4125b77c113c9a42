"""From collisions to training data: events, a fast calorimeter, ntuples, splitting, and the farm that runs them."""

from pathlib import Path

CACHE = Path("runs") / "pythia"
"""Folder that keeps collisions and the modules made of them, for all runs that are started in one place."""
