"""From collisions to training data: events, fast calorimeter simulation, ntuples, splitting, and farm jobs."""

from pathlib import Path

CACHE = Path("runs") / "pythia"
"""Cache of collisions and their modules, shared by all runs started from the same folder."""
