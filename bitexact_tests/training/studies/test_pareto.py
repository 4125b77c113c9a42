"""Scan over bit widths: which encoders, what is kept between runs, the front and its figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.results import chip_synthesis, emd_metrics, pareto_point, pareto_scan
from emulator import encode
from models.config import Config
from models.errors import InputError
from models.weights import EncoderWeights
from rtl.results import Resources
from training.figures.pareto import area_against_emd
from training.fit.run import Run
from training.production.toy import generate
from training.report.commands import commands
from training.report.hardware_section import hardware_section
from training.results.pareto import ParetoPoint, ParetoScan
from training.results.report import Hardware
from training.studies import pareto
from training.studies.pareto import gates, run_scan, scan, with_widths

CONFIG = Config.load(REPOSITORY / "configs" / "econ_t_5elink.yaml")


def test_widths_of_a_scan_cross_at_the_configuration() -> None:
    assert scan(CONFIG, [3, 6, 8], [4, 8]) == [(6, 8), (3, 8), (8, 8), (6, 4)]
    assert with_widths(CONFIG.encoder, (6, 8)) == CONFIG.encoder


@pytest.mark.parametrize("widths", [(3, 8), (8, 8), (6, 4), (6, 8)])
def test_an_encoder_of_other_widths_runs(widths: tuple[int, int]) -> None:
    spec = with_widths(CONFIG.encoder, widths)
    assert (spec.conv.weight.width, spec.dense.bias.width, spec.input.width) == (widths[0], widths[0], widths[1])
    assert (spec.conv.weight.integer_bits, spec.input.integer_bits) == (1, 1)
    assert (spec.conv.product, spec.dense.product) == (CONFIG.encoder.conv.product, CONFIG.encoder.dense.product)
    trace = encode(EncoderWeights.random(spec, 1), generate(50, 1))
    assert trace["output_code"].max() <= spec.dense.output.max_code and trace["image_code"].max() < 1 << widths[1]


def test_widths_that_make_no_encoder_are_one_line_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"9 bits of weights on 8 bits of input: conv\.product"):
        run_scan(CONFIG, tmp_path / "scan", [(6, 8), (9, 8)])
    assert not (tmp_path / "scan").exists()


@pytest.mark.parametrize("widths", [(0, 8), (6, 0), (6, -1)])
def test_widths_of_nothing_are_one_line(widths: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"{widths[0]} bits of weights on {widths[1]} bits of input: width"):
        with_widths(CONFIG.encoder, widths)


GATES = chip_synthesis(CONFIG.encoder, technology="gates", tool="a tool", resources=Resources(nand2=7, ff=1))


def test_gates_are_counted_once_for_each_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    pytest.importorskip("amaranth")
    monkeypatch.setattr("rtl.mapping.synthesis.synthesise_chip", lambda *arguments: calls.append(arguments) or GATES)
    for _ in range(2):
        assert gates(CONFIG.encoder, tmp_path).total == Resources(nand2=7, ff=1)
    assert len(calls) == 1
    gates(with_widths(CONFIG.encoder, (5, 8)), tmp_path)
    assert len(calls) == 2
    path = tmp_path / "rtl_gates.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"blocks": 7}))
    with pytest.raises(InputError, match=r"rtl_gates\.json: blocks: Input should be a valid array \(given: 7\)"):
        gates(CONFIG.encoder, tmp_path)


def test_a_scan_without_a_selected_module_has_dashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pareto, "gates", lambda spec, folder: GATES)
    monkeypatch.setattr(pareto, "trained", lambda config, folder: emd_metrics(None).model_copy(
        update={"n_selected": 0}))
    lines: list[str] = []
    found = run_scan(CONFIG, tmp_path, [(6, 8), (3, 8)], lines.append)
    assert lines[0].endswith("7 NAND2, mean EMD -")
    assert not area_against_emd(found).axes[0].texts
    *_, section = hardware_section(Hardware(implementations=(), counted=(), pareto=found),
                                     commands(Run("econ_t_5elink"))).children
    assert [cell.text for cell in section.tables[0].rows[0]][-2:] == ["-", "0"]


def test_a_scan_trains_and_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow")
    monkeypatch.setattr(pareto, "gates", lambda spec, folder: chip_synthesis(
        spec, technology="gates", resources=Resources(nand2=100 * spec.conv.weight.width, ff=1)))
    config = CONFIG.override(data={"source": "toy", "n_modules": 200}, training={"epochs": 1})
    lines: list[str] = []
    found = run_scan(config, tmp_path, [(6, 8), (3, 8)], lines.append)
    assert ParetoScan.load(tmp_path / "pareto.json") == found
    assert [(one.nand2, one.own) for one in found.points] == [(600, True), (300, False)]
    assert all(one.emd_mean and one.emd_mean > 0 for one in found.points) and "300 NAND2, mean EMD" in lines[1]
    before = (tmp_path / "w3_i8" / "weights.npz").stat().st_mtime_ns
    assert run_scan(config, tmp_path, [(6, 8), (3, 8)]) == found
    assert (tmp_path / "w3_i8" / "weights.npz").stat().st_mtime_ns == before


def test_front_and_figure() -> None:
    scan = pareto_scan(pareto_point(6, 8, 600, 0.8), pareto_point(3, 8, 300, 1.0), pareto_point(4, 8, 400, 1.1),
                       pareto_point(8, 8, 800, 0.8), pareto_point(6, 4, 500, 0.9), pareto_point(5, 8, 200, None))
    assert [one.nand2 for one in scan.front()] == [300, 500, 600]
    axes = area_against_emd(scan).axes[0]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "varying weight bits, 8 input bits", "varying input bits, 6 weight bits", "name: 6, 8"]
    # Labels of all points but the configuration's own.
    assert sorted(text.get_text() for text in axes.texts) == ["3", "4", "4", "8"]


@pytest.mark.parametrize("points", [[], [pareto_point(3, 8, 300, 1.0)], [pareto_point(6, 8, 300, 1.0)] * 2])
def test_a_scan_has_one_point_of_the_configuration(points: list[ParetoPoint]) -> None:
    with pytest.raises(ValueError, match=f"{len(points) // 2 * 2} points are the encoder of the configuration"):
        pareto_scan(*points)
