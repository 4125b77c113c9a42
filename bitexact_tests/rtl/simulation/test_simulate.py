"""Runs of a compiled model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rtl.simulation.simulate import Port, Simulation


def test_two_runs_of_a_model_at_once(tmp_path: Path) -> None:
    """A stand-in for the compiled model that answers, after a while, with what it was asked."""
    program = tmp_path / "model"
    program.write_text('#!/bin/sh\nsleep 0.3\ncp "$1" "$2"\n')
    program.chmod(0o755)
    simulation = Simulation(program, (Port("asked", 8, True), Port("answer", 8, False)))
    inputs = [simulation.idle(5) for _ in range(2)]
    inputs[1]["asked"] = 7
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda records: simulation.run(records, tmp_path)["answer"].tolist(), inputs))
    assert found == [[[0]] * 5, [[7]] * 5]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
