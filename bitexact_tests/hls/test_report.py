"""What is counted of an encoder, and the command that shows it beside the reports of the tools."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.vendor_reports import CATAPULT, CONFIG, CONFIG_FILE, project, write
from hls.__main__ import app
from hls.report import counted


def test_what_is_counted() -> None:
    found = {one.quantity: one.value for one in counted(CONFIG)}
    assert found["weight registers"] == "2,144 codes = 12,864 bits"
    assert found["multiplications per event"] == "968 + 2,048 = 3,016"


def test_command_line_prints_the_table(tmp_path: Path) -> None:
    write(project(tmp_path, "catapult") / "econ_t.v1" / "rtl.rpt", CATAPULT)
    done = CliRunner().invoke(app, ["report", "--config", str(CONFIG_FILE), "--project", f"catapult={tmp_path}"])
    assert done.exit_code == 0, done.output
    assert "586,221" in done.output and "not run" in done.output and "3.6 mm2" in done.output


def test_a_project_tells_its_configuration(tmp_path: Path) -> None:
    """As `econ-t convert` writes it; the table is that with --config, and synthesis knows the backend."""
    write(project(tmp_path, "catapult") / "econ_t.v1" / "rtl.rpt", CATAPULT)
    CONFIG.save(tmp_path / "config.yaml")
    write(tmp_path / "catapult.tcl", "")
    options = ["--project", f"catapult={tmp_path}"]
    given, found = (CliRunner().invoke(app, ["report", *options, *more])
                    for more in (["--config", str(CONFIG_FILE)], []))
    assert found.exit_code == 0 and found.stdout == given.stdout
    synthesis = CliRunner().invoke(app, ["synth", "--project", str(tmp_path)])
    assert synthesis.exit_code == 2 and "synthesis with catapult not run" in synthesis.stderr
    nothing = CliRunner().invoke(app, ["report"])
    assert nothing.stderr == "error: nothing to report; expected --config or --project\n"


@pytest.mark.parametrize(("entry", "message"), [
    ("vitis", "--project vitis, expected vitis=FOLDER or catapult=FOLDER"),
    ("vitis=", "--project vitis=, expected vitis=FOLDER or catapult=FOLDER"),
    ("vits={folder}", "--project vits={folder}, expected vitis=FOLDER or catapult=FOLDER"),
    ("vitis={folder}/nowhere", "{folder}/nowhere/project.json is missing, expected a vitis project"),
    ("vitis={folder}/other",
     "{folder}/other/project.json: made for another encoder (spec 0123456789abcdef, expected {digest})"),
    ("vitis={folder}/catapult", "{folder}/catapult/project.json: backend catapult, expected vitis"),
])
def test_project_of_something_else_is_refused(tmp_path: Path, entry: str, message: str) -> None:
    write(project(tmp_path / "other", "vitis", digest="0123456789abcdef") / "vitis.tcl", "")
    write(project(tmp_path / "catapult", "catapult") / "vitis.tcl", "")
    names = {"folder": str(tmp_path), "digest": CONFIG.encoder.digest()}
    entry, message = entry.format(**names), message.format(**names)
    done = CliRunner().invoke(app, ["report", "--config", str(CONFIG_FILE), "--project", entry])
    assert done.exit_code == 2 and done.stderr.startswith(f"error: {message}") and done.stderr.count("\n") == 1
    folder = entry.partition("vitis=")[2]
    if folder:
        done = CliRunner().invoke(app, ["synth", "--config", str(CONFIG_FILE), "--project", folder])
        assert done.exit_code == 2 and done.stderr.startswith(f"error: {message}")
