"""A report of nextpnr: one clock, two paths, cells used."""

from __future__ import annotations

from typing import Any


def step(kind: str, delay: float, cell: str) -> dict[str, Any]:
    return {"type": kind, "delay": delay, "from": {"cell": "any"}, "to": {"cell": cell, "port": "A"}}


CLOCK = "posedge clk"
REPORT = {
    "fmax": {"clk": {"achieved": 50.0, "constraint": 80}},
    "critical_paths": [
        {"from": "<async>", "to": CLOCK, "path": [step("source", 9.0, "pin")]},
        {"from": CLOCK, "to": CLOCK, "path": [
            step("clk-to-q", 0.5, "chip.encoder.weights_3.kept_FF"), step("routing", 2.0, "chip.encoder.dense_3.LUT"),
            step("logic", 0.25, "chip.encoder.dense_3.LUT"), step("routing", 1.0, "chip.encoder.dense_3.FF"),
            step("setup", 0.25, "chip.encoder.dense_3.FF"), step("routing", 0.5, "waiting_FF")]},
    ],
    "utilization": {"TRELLIS_COMB": {"used": 5, "available": 83640}, "TRELLIS_FF": {"used": 3, "available": 83640},
                    "MULT18X18D": {"used": 1, "available": 156}, "DP16KD": {"used": 4, "available": 208},
                    "TRELLIS_IO": {"used": 2, "available": 365}},
}
