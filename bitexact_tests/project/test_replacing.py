"""What took minutes is never replaced without --force, --retrain or a new name: over all commands that write such."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bitexact_tests.samples.module_tables import rows, save
from bitexact_tests.samples.results import chip_synthesis
from models.command_line import econ_t
from models.config import Config
from models.hardware import Implementation
from models.register_weights import for_encoder
from models.weights import EncoderWeights
from rtl.results import Activity, ConstantSynthesis, Design

CONFIG = Config.load("econ_t_5elink")
WEIGHTS = EncoderWeights.random(CONFIG.encoder, 3, density=0.05)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(econ_t(), list(map(str, arguments)))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _registers(folder: Path) -> tuple[object, ...]:
    for_encoder(WEIGHTS).save(str(folder / "init.yaml"))
    EncoderWeights.random(CONFIG.encoder, 4).save(folder / "weights.npz")
    return "registers", "--registers", folder / "init.yaml", "--weights", folder / "weights.npz"


def _import(folder: Path) -> tuple[object, ...]:
    WEIGHTS.save(folder / "weights.npz")
    return "import", "--config", "econ_t_5elink", "--input", folder / "encoder.h5", "--output", folder / "weights.npz"


def _losses(folder: Path) -> tuple[object, ...]:
    (folder / "emd_loss1.npz").write_bytes(b"a loss")
    return "emd-loss", "--output", folder


def _upsets(folder: Path) -> tuple[object, ...]:
    (folder / "seu.json").write_text("{}")
    CONFIG.save(folder / "config.yaml")
    save(folder / "test.csv", rows(3))
    return "seu", "--run", folder


def _synthesis(folder: Path) -> tuple[object, ...]:
    chip_synthesis(Config.load("econ_t_2elink").encoder).save(folder / "gates.json")
    return "rtl", "synth", "--config", "econ_t_5elink", "--technology", "gates", "--json", folder / "gates.json"


def _constant(folder: Path) -> tuple[object, ...]:
    rows = tuple(Implementation(name=name, tool="a tool") for name in ("estimate", "mapped"))
    ConstantSynthesis(digest=CONFIG.encoder.digest(), stages=2, implementations=rows).save(folder / "out/constant.json")
    EncoderWeights.random(CONFIG.encoder, 4).save(folder / "out" / "weights.npz")
    WEIGHTS.save(folder / "weights.npz")
    return "rtl", "constant", "--weights", folder / "weights.npz", "--output", folder / "out"


def _project(folder: Path) -> tuple[object, ...]:
    WEIGHTS.save(folder / "weights.npz")
    (folder / "out").mkdir()
    (folder / "out" / "project.json").write_text(json.dumps({"digest": "other", "backend": "vitis"}))
    (folder / "out" / "vivado_utilization.rpt").write_text("hours of work")
    return "convert", "--weights", folder / "weights.npz", "--output", folder / "out", "--backend", "vitis"


def _matrix(folder: Path) -> tuple[object, ...]:
    (folder / "matrix.json").write_text("[]")
    return "matrix", "--json", folder / "matrix.json"


def _generate(folder: Path) -> tuple[object, ...]:
    save(folder / "calq.csv", rows(3))
    return "data", "generate", "--source", "toy", "--n-modules", 20, "--output", folder / "calq.csv"


def _shuffle(folder: Path) -> tuple[object, ...]:
    save(folder / "calq.csv", rows(3))
    save(folder / "shuffled.csv", rows(4))
    return "data", "shuffle", folder / "calq.csv", "--output", folder / "shuffled.csv"


def _skim(folder: Path) -> tuple[object, ...]:
    save(folder / "calq.csv", rows(30))
    command = "data", "skim", folder / "calq.csv", "--partial", "--output", folder / "out"
    assert call(*command).exit_code == 0
    return *command, "--min-charge", 9


COMMANDS: dict[str, Callable[[Path], tuple[object, ...]]] = {
    "registers": _registers, "import": _import, "emd-loss": _losses, "seu": _upsets, "rtl synth": _synthesis,
    "rtl constant": _constant, "convert": _project, "matrix": _matrix, "data generate": _generate,
    "data shuffle": _shuffle, "data skim": _skim,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_replaced_without_a_word(tmp_path: Path, command: str) -> None:
    arguments = COMMANDS[command](tmp_path)
    before = files(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 2 and result.stderr.startswith("error: "), result.output
    assert "to replace" in result.stderr and ("--force" in result.stderr or "--retrain" in result.stderr)
    assert files(tmp_path) == before


@pytest.mark.parametrize("command", ["registers", "data generate", "data shuffle", "data skim"])
def test_on_request_it_is(tmp_path: Path, command: str) -> None:
    arguments = COMMANDS[command](tmp_path)
    before = files(tmp_path)
    result = call(*arguments, "--force")
    assert result.exit_code == 0, result.output
    assert files(tmp_path) != before


def test_a_project_with_vendor_reports_gets_the_weights(tmp_path: Path) -> None:
    """Weights are arguments of the hardware: what a vendor tool said of the project holds for any."""
    pytest.importorskip("hls4ml")
    from hls.conversion import describe

    arguments = _project(tmp_path)
    (tmp_path / "out" / "project.json").write_text(json.dumps(describe(Config.load("econ_t_5elink"), "vitis")))
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    assert EncoderWeights.load(tmp_path / "out" / "weights.npz", WEIGHTS.spec).digest() == WEIGHTS.digest()
    assert (tmp_path / "out" / "vivado_utilization.rpt").read_text() == "hours of work"


def test_activity_survives_a_synthesis_that_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    activity = Activity(events=1, changes=2.0, flip_flop_changes=1.0, clocked_flip_flops=3,
                        changes_per_net_and_clock=0.1, by_block={})
    found = chip_synthesis(CONFIG.encoder, technology="gates")
    monkeypatch.setattr("rtl.mapping.synthesis.synthesise_chip", lambda *arguments: found)
    design = Design(**{name: getattr(found, name) for name in Design.model_fields})
    monkeypatch.setattr("rtl.design.chip.AutoencoderChip.describe", lambda self: design)
    found.model_copy(update={"activity": activity}).save(tmp_path / "gates.json")
    arguments = "rtl", "synth", "--config", "econ_t_5elink", "--technology", "gates", "--json", tmp_path / "gates.json"
    assert call(*arguments).exit_code == 0
    assert type(found).load(tmp_path / "gates.json").activity == activity
    monkeypatch.setattr("rtl.mapping.synthesis.synthesise_chip",
                        lambda *arguments: found.model_copy(update={"levels": 1}))
    assert call(*arguments).exit_code == 0
    assert type(found).load(tmp_path / "gates.json").activity is None
