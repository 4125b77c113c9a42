"""The operations of an inference, counted by hand."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from models.config import Config
from models.cost import cost
from training.__main__ import app
from training.results.encoders import EncoderCost


def test_cost_of_the_chip() -> None:
    """3x3 kernels at 4x4 places, the last row and column of places with one row or column of the kernel outside."""
    found = cost(Config.load(REPOSITORY / "configs/econ_t_5elink.yaml").encoder)
    assert set(dict(found)) == set(found.meanings())
    assert found.parameters == 2144 and found.parameter_bits == 12864
    assert found.macs == 16 * 9 * 8 + 128 * 16
    assert found.macs_in_image == (9 * 9 + 2 * 3 * 6 + 4) * 8 + 128 * 16
    assert found.bit_operations == found.macs * 8 * 6
    assert found.flops == 2 * found.macs_in_image + 2 * (128 + 16)


def test_flops_command(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["flops", "--config", str(REPOSITORY / "configs/econ_t_2elink.yaml"),
                                      "--json", str(tmp_path / "cost.json")])
    assert result.exit_code == 0, result.output
    found = EncoderCost.load(tmp_path / "cost.json")
    assert (found.config, found.macs) == ("econ_t_2elink", 3200)
