"""The report that these tests read."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.reports import CONFIG, CONFIG_FILE, make_run
from bitexact_tests.samples.results import chip_synthesis, pareto_point, pareto_scan
from bitexact_tests.samples.trigger import study
from models.calq_io import write_calq
from models.weights import EncoderWeights
from rtl.results import Resources
from training.__main__ import app
from training.production.toy import generate
from training.results.trigger import TriggerStudy


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with `report.html` and `report.json`."""
    folder = tmp_path_factory.mktemp("run")
    make_run(folder)
    done = CliRunner().invoke(app, ["report", "--config", str(CONFIG_FILE), "--run", str(folder), "--json",
                                    str(folder / "report.json")])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="session")
def full_run(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with everything that a page can show: the trigger, gates and look-up tables, a scan over bit widths."""
    folder = shutil.copytree(run, tmp_path_factory.mktemp("full") / "run")
    weights = EncoderWeights.load(folder / "weights.npz", CONFIG.encoder)
    TriggerStudy.model_validate_json(study().model_dump_json().replace("1" * 12, weights.digest())).save(
        folder / "trigger.json")
    for technology, resources in (("gates", Resources(nand2=1_234_567, ff=12_345)), ("xc7", Resources(lut=98_765))):
        chip_synthesis(CONFIG.encoder, technology=technology, resources=resources).save(
            folder / f"rtl_{technology}.json")
    rng = np.random.default_rng(1)
    place = pd.DataFrame({"layer": rng.integers(1, 28, 200), "waferu": rng.integers(2, 6, 200), "waferv": 1})
    write_calq(folder / "test.csv", generate(200, 4), CONFIG.data.order, place)
    digest = CONFIG.encoder.digest()
    pareto_scan(pareto_point(3, 8, 300, 1.0), pareto_point(6, 8, 600, 0.8, digest), pareto_point(6, 5, 500, 0.9)).save(
        folder / "pareto" / "pareto.json")
    done = CliRunner().invoke(app, ["report", "--config", str(CONFIG_FILE), "--run", str(folder)])
    assert done.exit_code == 0, done.output
    return folder
