"""Events for the trigger, made by hand or shot from a gun, which needs no collisions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.production.geometry import modules
from training.results.trigger import TriggerStudy
from training.trigger.cells import Cells, positions
from training.trigger.events import Events, EventSample, Truth, part_file, read, simulate_part


def hand_made(*cells: tuple[float, float, int, float], n_groups: int = 2, group: int = 0) -> Cells:
    """Cells of (x/z, y/z, layer, transverse MIP)."""
    x, y, layer, charge = np.array(cells, dtype=np.float64).reshape(-1, 4).T
    return Cells(n_groups, np.full(len(x), group), x, y, layer.astype(np.int64), charge)


def no_truth() -> Truth:
    number, momentum = np.zeros(0, np.int64), np.zeros(0)
    return Truth(number, number, number, momentum, momentum, momentum)


def busy(n_events: int = 2, share: float = 0.02, largest: int = 3000, seed: int = 7) -> Events:
    """Events in which a share of all modules has charges of any size."""
    rng = np.random.default_rng(seed)
    n_modules = len(positions().layer)
    place = np.argwhere(rng.random((n_events, 2, n_modules)) < share)
    calq = np.exp(rng.uniform(0, np.log(largest), (len(place), 48))).astype(np.uint32)
    calq[rng.random(calq.shape) < 0.5] = 0
    event, endcap, module = place.astype(np.int64).T
    return Events(range(n_events), event, endcap, module, calq * modules().inside[module].astype(np.uint32), no_truth())


def shot(folder: Path, name: str = "electrons", n_events: int = 10) -> Events:
    """Ten events from the gun without pile-up."""
    path = part_file(folder, 0)
    if not path.exists():
        simulate_part(EventSample(name, 0.0), 0, path, folder / "collisions")
    return read(path, n_events)




def study() -> TriggerStudy:
    """Two systems on electrons, the second one better, with rates, identification and a display."""
    def measured(value: float) -> dict[str, float]:
        return {"value": value, "error": value / 10}

    def binned(coordinate: str, *values: float) -> dict[str, object]:
        return {"coordinate": coordinate, "edges": tuple(map(float, range(len(values) + 1))),
                "values": tuple(map(measured, values))}

    def system(name: str, digest: str, resolution: float, bits: float) -> dict[str, object]:
        bins = (binned("pt", resolution, resolution / 2), binned("eta", resolution))
        found = {"n_generated": 5, "least_pt": 10.0, "response_bins": bins, "resolution_bins": bins,
                 **{key: measured(0.9) for key in ("efficiency", "response", "eta", "phi", "sampling", "constant")},
                 "resolution": measured(resolution)}
        point = {"rate": 0.01, "threshold": measured(30.0), "efficiency": measured(1 - resolution),
                 "turn_on": binned("pt", 0.2, 0.8)}
        links = {"modules": {"BC, 2 links": 7}, "mean_links": 2.2, "bits": bits, "occupancy": 0.9, "cut": 0.0,
                 "charge": 0.7}
        roc = {"signal": (0.0, 1.0), "background": (0.0, 1.0), "area": measured(0.9), "background_at_95": measured(0.5)}
        shapes = tuple({"name": shape, "signal": measured(value), "background": measured(2 * value)}
                       for shape, value in (("first_layer", 3.0), ("core", 9.0), ("length", 20.0), ("width", 0.004)))
        return {"name": name, "file": "a.yaml", "digest": digest, "weights": {"runs/a": digest},
                "samples": ({"sample": "electrons", "links": links, "clusters_per_event": 9.0, "objects": found,
                             "rates": {"thresholds": (10.0, 20.0), "rates": (measured(0.5), measured(0.1))},
                             "working_points": (point,), "identification": roc,
                             "shapes": shapes},)}

    cells = {"x": (0.1, 0.2), "y": (0.1, 0.1), "charge": (5.0, 9.0), "clusters": ((0.1, 0.1, 12.0),)}
    return TriggerStudy.model_validate({
        "pile_up": 200.0, "n_events": 5, "seed": 1, "samples": ("electrons",),
        "systems": (system("one", "1" * 12, 0.2, 70.0), system("other", "2" * 12, 0.1, 90.0),
                    system("all", "3" * 12, 0.05, 0.0)),
        "differences": ({"sample": "electrons", "quantity": "resolution", "system": "other", "tie": False,
                         "difference": measured(-0.1)},),
        "displays": ({"sample": "electrons", "event": 0, "endcap": 1, "truth": ((0.1, 0.1, 11.0),),
                      "systems": tuple({"system": name, **cells} for name in ("one", "other", "all"))},)})
