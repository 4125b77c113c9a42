"""What commands find goes to stdout, so that it can be piped; where --json or --csv takes stdout, to stderr."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from bitexact_tests.samples.captures import sent
from emulator.links import ETX
from models.calq_io import write_calq
from models.command_line import econ_t
from training.production.toy import generate

COMMANDS = {
    "networks": "networks for train --models",
    "flops --config econ_t_5elink": "econ_t_5elink: one inference of the encoder",
    "weights list": "that were not trained on",
    "weights card econ_t_2elink": "econ_t_2elink",
    "trigger systems": "systems for trigger run --system",
    "resources --config econ_t_5elink": "econ_t_5elink: implementations",
    "show --run econ_t_5elink --input calq.csv": "latents, as sent",
    "show --run econ_t_5elink --input calq.csv --row 3": "what is sent and received",
    "evaluate --weights econ_t_2elink --input calq.csv": "econ_t_2elink: chip arithmetic",
    "compare --input calq.csv --links 3": "3 links, ",
    "compare econ_t_2elink econ_t_3elink --input calq.csv": "first - second",
    "data generate --source toy --n-modules 20 --output made.csv --force": "mean and percentiles over the modules",
    "chip compare etx.csv other.csv": "Differences by link and bit",
}
"""Commands that are done in a second or two, and a part of what each shows."""


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Charges, and two captures that differ, in the folder where the commands run."""
    monkeypatch.chdir(tmp_path)
    write_calq("calq.csv", generate(40, 1), "tc")
    etx = sent("BC", 5)[1][:50].copy()
    for name in ("etx.csv", "other.csv"):
        Path(name).write_text(ETX.header() + ETX.rows(etx), encoding="utf-8")
        etx[:, 1] ^= np.uint32(1)
    return tmp_path


def run(command: str, *options: str) -> Result:
    done = CliRunner().invoke(econ_t(), [*command.split(), *options])
    assert done.exit_code == (1 if command.startswith("chip compare") else 0), done.output
    return done


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_gets_the_table(command: str) -> None:
    done = run(command)
    assert COMMANDS[command] in done.stdout and COMMANDS[command] not in done.stderr


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("command", COMMANDS)
def test_json_on_stdout_is_nothing_but_json(command: str) -> None:
    done = run(command, "--json", "-")
    assert json.loads(done.stdout) and COMMANDS[command] in done.stderr


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("command", COMMANDS)
def test_csv_on_stdout_is_nothing_but_csv(command: str) -> None:
    done = run(command, "--csv", "-")
    header, *rows = csv.reader(done.stdout.splitlines())
    assert rows and {len(row) for row in rows} == {len(header)} and COMMANDS[command] in done.stderr


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("command", COMMANDS)
def test_two_results_on_one_stdout_are_refused(command: str) -> None:
    done = CliRunner().invoke(econ_t(), [*command.split(), "--json", "-", "--csv", "-"])
    assert done.exit_code == 2 and done.stdout == ""
    assert done.stderr.splitlines()[-1].endswith("expected for one of --json, --csv and --output")
