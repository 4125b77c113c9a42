"""The Verilog of constant weights: simulated, counted and mapped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.conftest import missing
from bitexact_tests.matrix import charges
from bitexact_tests.samples.rtl import CHIP, QKERAS, encoded
from models.errors import ToolMissing
from models.spec import EncoderSpec
from models.weights import EncoderWeights

pytest.importorskip("da4ml")

from rtl.constant.project import ConstantProject, mapped, rows


@pytest.mark.parametrize(("spec", "stages"), [(CHIP, 2), (QKERAS, 3)], ids=["chip", "qkeras"])
def test_verilog_equals_the_emulator_an_event_per_clock(spec: EncoderSpec, stages: int, tmp_path: Path) -> None:
    weights = EncoderWeights.random(spec, 5, density=0.1)
    project = ConstantProject.write(weights, tmp_path / "project", stages, "xcvu13p-flga2577-2-e", 25.0)
    try:
        simulation = project.simulation(tmp_path / "simulation")
    except ToolMissing as error:
        missing(str(error))
    image, output = encoded(weights, charges(1500))
    assert project.latency == stages + 1 and len(output) > 1000
    np.testing.assert_array_equal(project.run(simulation, image, tmp_path), output)
    alone = simulation.idle(12)
    alone["model_inp"][5] = 255
    found = simulation.run(alone, tmp_path)["model_out"]
    filled = found[project.latency :]
    np.testing.assert_array_equal(np.flatnonzero((filled != filled[0]).any(axis=1)), [5])


def test_size_is_counted_and_mapped(tmp_path: Path) -> None:
    weights = EncoderWeights.random(CHIP, 3, density=0.08)
    project = ConstantProject.write(weights, tmp_path / "with a blank", 2, "xcvu13p-flga2577-2-e", 25.0)
    found = mapped(project)
    assert 0 < found.n_luts < 2 * project.n_luts
    assert 1 < found.delay_ns < 50
    estimate, measured = rows(project, 25.0, found)
    assert (estimate.lut, measured.lut) == (project.n_luts, found.n_luts)
    assert estimate.latency_cycles == measured.latency_cycles == 3
    assert measured.fmax_mhz == pytest.approx(1000 / found.delay_ns)
