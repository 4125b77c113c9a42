"""The options of older scripts."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from models.calq_io import CALQ_COLUMNS
from models.config import LOSS_NAMES
from training.__main__ import app
from training.commands.old_options import OPTIONS, translate

OLD_README = ["-i", "-o", "--epoch", "--AEonly", "--nELinks", "--noHeader", "--models", "--loss", "--quantize",
              "--skipPlot", "--full", "--quickTrain", "--retrain", "--evalOnly", "--double", "--overrideInput",
              "--nCSV", "--maxVal", "--rescaleInputToMax", "--rescaleOutputToMax", "--nrowsPerFile", "--occReweight",
              "--maskPartials", "--maskEnergies", "--saveEnergy"]


def test_every_old_option_is_known_and_documented() -> None:
    from typer.main import get_command

    ours = {name for parameter in get_command(app).load("train").params  # type: ignore[attr-defined]
            for name in parameter.opts}
    page = (REPOSITORY / "docs/how-to/from-ecoder.md").read_text()
    for name in OLD_README:
        assert name in OPTIONS or name in ours, name
        assert f"`{name}" in page, f"{name} is not in the table of docs/how-to/from-ecoder.md"
    assert set(OPTIONS) < set(OLD_README)


@pytest.mark.parametrize(("old", "expected"), [
    ("-i in/ -o=out --epoch 3 --nELinks 3 --loss telescopeMSE8x8",
     "--data in/ --output out --epochs 3 --set encoder.n_elinks=3 --loss telescope --config econ_t_3elink"),
    ("--nELinks 8 --config c.yaml", "--set encoder.n_elinks=8 --config c.yaml"),
    ("--nELinks 8", "--set encoder.n_elinks=8 --config econ_t_5elink"),
    ("--nELinks 1", "--set encoder.n_elinks=1 --config econ_t_1elink"),
    ("--loss=weightedMSE", "--loss weighted_mse"),
    ("--data - --loss kernel --set training.loss=emd --retrain",
     "--data - --loss kernel --set training.loss=emd --retrain"),
])
def test_old_options_become_those_of_now(old: str, expected: str) -> None:
    assert translate(shlex.split(old)) == (shlex.split(expected), [])


def test_what_an_old_option_no_longer_does_is_noted() -> None:
    arguments, notes = translate(shlex.split("--AEonly 1 --noHeader --epoch 3"))
    assert arguments == ["--epochs", "3"]
    assert [note.split(":")[0] for note in notes] == ["--AEonly", "--noHeader"]


def test_every_old_loss_has_one_of_now() -> None:
    assert set(OPTIONS["--loss"].names.values()) <= set(LOSS_NAMES)


@pytest.mark.parametrize(("options", "match"), [
    (["--evalOnly"], "--evalOnly: use econ-t evaluate"),
    (["--full"], "econ-t compare"),
    (["--AEonly", "0"], "econ-t compare"),
    (["--maxVal", "5"], "--maxVal: not supported"),
    (["--rescaleInputToMax"], "normaliser"),
    (["--epoch"], "--epoch: expected a value"),
    (["--nELinks", "0"], "encoder.n_elinks"),
    (["--maskPartials", "-i", "calq.csv"], "data.mask_partials: needs the column ModType"),
    (["--maskEnergies", "-i", "calq.csv"], "data.mask_energies: column SimEnergyFraction is missing"),
    (["--occReweight", "--double", "--quickTrain", "--noHeader", "--nCSV", "5", "--saveEnergy", "--skipPlot",
      "--retrain", "--rescaleOutputToMax", "--overrideInput", "--AEonly=1", "-i", "none.csv"], "none.csv: No such"),
])
def test_errors_of_old_options_are_one_line(
    options: list[str], match: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pd.DataFrame(np.ones((20, 48), int), columns=CALQ_COLUMNS).to_csv(tmp_path / "calq.csv", index=False)
    options = [str(tmp_path / option) if option.endswith(".csv") else option for option in options]
    monkeypatch.chdir(REPOSITORY)
    result = CliRunner().invoke(app, ["train", "-o", str(tmp_path / "run"), *options])
    *notes, error = result.stderr.splitlines()
    assert result.exit_code == 2 and error.startswith("error: ") and match in error, result.stderr
    assert all(note.split(":")[0] in options or note.startswith("--AEonly: always") for note in notes), notes
    assert not (tmp_path / "run").exists()
