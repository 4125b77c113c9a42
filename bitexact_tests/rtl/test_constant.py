"""Layers with constant weights by da4ml against the emulator: its integers, and its Verilog in Verilator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import CONFIGS, REPOSITORY, missing
from emulator import encode
from models.config import Config
from models.errors import InputError, ToolMissing
from models.fixed_point import FixedPoint
from models.spec import EncoderSpec
from models.trigger_cells import channel_to_pixel
from models.weights import EncoderWeights

pytest.importorskip("da4ml")

from da4ml.trace import FixedVariableArray, comb_trace

from rtl.__main__ import app
from rtl.constant import layers as constant
from rtl.constant.layers import ConstantLayers
from rtl.constant.project import ConstantProject, mapped, rows
from rtl.results import ConstantSynthesis

ALL = {path.stem: Config.load(path).encoder for path in CONFIGS}
CHIP, QKERAS = ALL["econ_t_5elink"], ALL["qkeras_5elink"]
WEIGHTS: dict[str, Callable[[EncoderSpec], EncoderWeights]] = {
    "zero": lambda spec: EncoderWeights.constant(spec, 0),
    "all -32": lambda spec: EncoderWeights.constant(spec, -32),
    "all -1": lambda spec: EncoderWeights.constant(spec, -1),
    "all 31": lambda spec: EncoderWeights.constant(spec, 31),
    "random": lambda spec: EncoderWeights.random(spec, 1),
    "sparse": lambda spec: EncoderWeights.random(spec, 2, density=0.1),
}


def charges(n: int = 1500) -> np.ndarray:
    """Random modules of all sizes, and every extreme that the image can have."""
    rng = np.random.default_rng(11)
    random = rng.exponential(10 ** rng.uniform(0, 4.5, (n, 1)), (n, 48)) * (rng.random((n, 48)) < rng.random((n, 1)))
    flat = np.outer([0, 1, 255, (1 << 17) - 1, (1 << 22) - 1], np.ones(48))
    return np.concatenate([flat, np.eye(48) * 255, np.minimum(random, (1 << 22) - 1)]).astype(np.int64)


def expected(spec: EncoderSpec, weights: EncoderWeights, calq: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Input codes of the channels and output codes, by the emulator."""
    trace = encode(weights, calq)
    return trace["image_code"].reshape(-1, 64)[:, channel_to_pixel()], trace["output_code"]


@pytest.mark.parametrize("family", WEIGHTS)
@pytest.mark.parametrize("spec", [CHIP, QKERAS], ids=["chip", "qkeras"])
def test_integers_of_da4ml_equal_the_emulator(spec: EncoderSpec, family: str) -> None:
    weights = WEIGHTS[family](spec)
    image, output = expected(spec, weights, charges())
    np.testing.assert_array_equal(ConstantLayers.trace(weights).emulate(image), output)


@pytest.mark.parametrize(("spec", "stages"), [(CHIP, 2), (QKERAS, 3)], ids=["chip", "qkeras"])
def test_verilog_equals_the_emulator_an_event_per_clock(spec: EncoderSpec, stages: int, tmp_path: Path) -> None:
    weights = EncoderWeights.random(spec, 5, density=0.1)
    project = ConstantProject.write(weights, tmp_path / "project", stages, "xcvu13p-flga2577-2-e", 25.0)
    try:
        simulation = project.simulation(tmp_path / "simulation")
    except ToolMissing as error:
        missing(str(error))
    image, output = expected(spec, weights, charges())
    assert project.latency == stages + 1 and len(output) > 1000
    np.testing.assert_array_equal(project.run(simulation, image, tmp_path), output)
    alone = simulation.idle(12)
    alone["model_inp"][5] = 255
    found = simulation.run(alone, tmp_path)["model_out"]
    filled = found[project.latency :]
    np.testing.assert_array_equal(np.flatnonzero((filled != filled[0]).any(axis=1)), [5])


def test_every_cut_product_of_every_code() -> None:
    """All 6-bit weights times all 8-bit codes, cut by 1 to 13 bits: floors, also of small negative products."""
    codes, weights = np.arange(256), np.arange(-32, 32)
    one = np.array([8]), np.array([0])
    for cut in range(1, 14):
        inputs = FixedVariableArray.from_kif(one[1], *one, hwconf=constant._HARDWARE)
        places = [([inputs[0]], weights[None, :])]
        logic = comb_trace(inputs, constant._floored(places, cut))
        np.testing.assert_array_equal(logic.predict(codes[:, None].astype(float)), codes[:, None] * weights >> cut)


@pytest.mark.parametrize("output", ["U1.8 floor saturate", "U1.8 floor wrap", "U1.6 half_even saturate",
                                    "U2.3 half_even wrap", "U1.8 half_even saturate"])
def test_every_sum_is_rounded_and_limited_as_the_format_says(output: str) -> None:
    form = FixedPoint.parse(output)
    layer = CHIP.dense.evolve(output=form)
    totals = np.arange(-(1 << 11), 1 << 11)
    inputs = FixedVariableArray.from_kif(np.array([1]), np.array([11]), np.array([0]), hwconf=constant._HARDWARE)
    logic = comb_trace(inputs, [constant._activate(layer, 8, inputs[0])])
    np.testing.assert_array_equal(logic.predict(totals[:, None].astype(float))[:, 0],
                                  form.requantize(np.maximum(totals, 0), 8))


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


def test_command_line(tmp_path: Path) -> None:
    EncoderWeights.random(CHIP, 3, density=0.08).save(tmp_path / "weights.npz")
    arguments = ["constant", "--config", str(REPOSITORY / "configs" / "econ_t_5elink.yaml"), "--weights",
                 str(tmp_path / "weights.npz"), "--output", str(tmp_path / "out"), "--no-synthesise"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "da4ml" in done.output and "LUT" in done.output
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert names >= {"src/constant_layers.v", "src/constant_layers.xdc", "build_vivado_prj.tcl", "constant.json",
                     "weights.npz"}
    found = ConstantSynthesis.load(tmp_path / "out" / "constant.json")
    assert found.digest == CHIP.digest() and found.implementations[0].lut and not found.implementations[0].absent
    done = CliRunner().invoke(app, [*arguments, "--stages", "99"])
    assert done.exit_code == 2 and "--stages 99, expected 1 to " in done.output and done.output.count("\n") == 1
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    done = CliRunner().invoke(app, [*arguments[:-2], str(tmp_path / "other")])
    assert done.exit_code == 2 and "a folder with other files" in done.output


def test_too_many_stages_name_the_depth() -> None:
    with pytest.raises(InputError, match="so many adders stand in a row"):
        ConstantLayers.trace(EncoderWeights.random(CHIP, 3, density=0.08)).pipelined(0)
