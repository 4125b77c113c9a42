"""Ntuples of whole modules in the three ways of naming, as those of 2023 to 2026."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from emulator.encoder import normalise
from models.fixed_point import FixedPoint
from models.trigger_cells import channel_to_pixel
from training.production.toy import generate

CHAIN = "FloatingpointThreshold0DummyHistomaxDummynTuple/HGCalTriggerNtuple"
Wafers = dict[str, np.ndarray]
"""Columns of the wafers of all events, with `event_index`; calq (n, 48) in image order."""


def wafers(n_events: int, per_event: int, seed: int = 1) -> Wafers:
    """Wafers of made-up places with toy charges; the first event has none."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 2 * per_event, n_events)
    counts[0] = 0
    n = int(counts.sum())
    return {
        "event_index": np.repeat(np.arange(n_events), counts), "counts": counts,
        "calq": generate(n, seed=seed).astype(np.uint32),
        "layer": rng.integers(1, 48, n).astype(np.int32), "waferu": rng.integers(-12, 13, n).astype(np.int32),
        "waferv": rng.integers(-12, 13, n).astype(np.int32), "wafertype": rng.integers(0, 3, n).astype(np.int32),
        "zside": rng.choice([-1, 1], n).astype(np.int32), "eta": rng.uniform(1.5, 3, n).astype(np.float32),
        "energy": rng.exponential(3, n).astype(np.float32),
        "simenergy": (rng.exponential(1, n) * (rng.random(n) < 0.3)).astype(np.float32),
        "subdet": np.ones(n, np.int32), "event": (1000 + np.arange(n_events)).astype(np.int64),
        "gen_pt": rng.uniform(2, 90, (n_events, 2)).astype(np.float32),
    }


def images(calq: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Charges and encoder inputs (code / 128) of the 64 pixels, (n, 64) each."""
    charge = np.zeros((len(calq), 64), np.uint32)
    charge[:, channel_to_pixel()] = calq
    _, _, image = normalise(FixedPoint(8, 1, signed=False), calq.T.astype(np.int64))
    return charge, (image.reshape(64, -1).T / 128).astype(np.float32)


def branches(one: Wafers, naming: str) -> dict[str, Any]:
    """Awkward arrays by branch, in the naming `chain`, `nano` or `tables`."""
    import awkward as ak  # not on every machine

    def jagged(values: np.ndarray, per_wafer: int = 1) -> Any:
        return ak.unflatten(np.ascontiguousarray(values).ravel(), one["counts"] * per_wafer)

    charge, image = images(one["calq"])
    found: dict[str, Any] = {"event": one["event"]}
    if naming == "tables":
        names = {"layer": "layer", "waferu": "waferU", "waferv": "waferV", "wafertype": "hwType", "zside": "zside",
                 "eta": "eta", "energy": "energy", "simenergy": "simenergy", "subdet": "subdet"}
        found |= {f"HGCWafers_{field}": jagged(one[name]) for name, field in names.items()}
        found |= {"HGCWafersECONinputs_CALQ": jagged(charge, 64), "HGCWafersECONinputs_AEin": jagged(image, 64)}
        return found | {"GenPart_pt": ak.from_regular(one["gen_pt"])}
    prefix, pixel, gen = ("wafer_", "", "gen_pt") if naming == "chain" else ("L1THGCAL_wafer_", "_", "GenPart_pt")
    for name in ("layer", "waferu", "waferv", "wafertype", "zside", "eta", "energy", "simenergy", "subdet"):
        found[prefix + name] = jagged(one[name])
    for i in range(64):
        found[f"{prefix}CALQ{pixel}{i}"] = jagged(charge[:, i])
        found[f"{prefix}AEin{pixel}{i}"] = jagged(image[:, i])
    return found | {gen: ak.from_regular(one["gen_pt"])}


TREES = {"chain": CHAIN, "nano": "Events", "tables": "Events"}


def write(path: Path, one: Wafers, naming: str = "chain", **changes: Any) -> Path:
    """Write a ROOT file; `changes` replace branches, None removes one."""
    import uproot  # not on every machine

    found = {name: value for name, value in (branches(one, naming) | changes).items() if value is not None}
    with uproot.recreate(path) as file:
        file.mktree(TREES[naming], found)
    return path
