"""The report that these tests read."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.reports import CONFIG_FILE, make_run
from training.__main__ import app


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with `report.html` and `report.json`."""
    folder = tmp_path_factory.mktemp("run")
    make_run(folder)
    done = CliRunner().invoke(app, ["report", "--config", str(CONFIG_FILE), "--run", str(folder), "--json",
                                    str(folder / "report.json")])
    assert done.exit_code == 0, done.output
    return folder
