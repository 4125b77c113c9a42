"""The command that compares runs with the algorithms of the chip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.schemes import CALQ
from models.calq_io import read_calq, write_calq
from models.config import Config
from models.trigger_cells import image_order
from models.weights import EncoderWeights
from training.__main__ import app
from training.results.comparison import Comparison


def test_command_writes_json_and_csv(random_runs: list[Path], tmp_path: Path) -> None:
    write_calq(tmp_path / "calq.csv", CALQ[:, image_order()])
    arguments = ["compare", "--input", str(tmp_path / "calq.csv"), "--links", "2", "--links", "5", "--json",
                 str(tmp_path / "physics.json"), "--nCSV", "20", "--n-modules", "300"]
    for folder in random_runs:
        arguments += ["--run", str(folder)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    found = Comparison.load(tmp_path / "physics.json")
    encoders = {row.name: row.n_elinks for row in found.schemes if row.algorithm == "AE"}
    assert encoders == {"AE econ_t_2elink": 2, "AE econ_t_5elink": 5, "AE qkeras_5elink": 5}
    assert found.n_modules == 300 and "5 links: " in done.output
    made_from = {f"AE {folder.name}": EncoderWeights.load(folder / "weights.npz", Config.load(
        folder / "config.yaml").encoder).digest() for folder in random_runs}
    assert found.weights == made_from and found.data == str(tmp_path / "calq.csv")
    for folder in random_runs:
        np.testing.assert_array_equal(read_calq(folder / "csv" / "input.csv").calq[:, np.argsort(image_order())],
                                      CALQ[:20])
        rows = {name: (folder / "csv" / name).read_text().splitlines() for name in ("latent.csv", "output.csv")}
        assert [len(lines) for lines in rows.values()] == [21, 21]


@pytest.mark.parametrize(("arguments", "message"), [
    (["--input", "none.csv"], "none.csv"),
    (["--run", "none"], "none"),
    (["--order", "rows", "--input", "x"], "--order rows, expected tc or image"),
])
def test_bad_arguments_are_one_line(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["compare", *arguments, "--json", "physics.json"])
    assert done.exit_code == 2 and message in done.output and done.output.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_runs_need_names_and_budgets(random_runs: list[Path], tmp_path: Path) -> None:
    twice = CliRunner().invoke(app, ["compare", "--run", str(random_runs[0]), "--run", str(random_runs[0])])
    assert twice.exit_code == 2 and "two runs are called econ_t_5elink" in twice.output
    other = CliRunner().invoke(app, ["compare", "--run", str(random_runs[0]), "--links", "3"])
    assert other.exit_code == 2 and "AE econ_t_5elink is for 5 links" in other.output
