"""Commands `trigger`: what they print, write and refuse."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples import ntuples
from bitexact_tests.samples.geometry_file import GEOMETRY
from models.command_line import econ_t
from training.production.geometry import modules
from training.results.trigger import TriggerStudy
from training.trigger.system import SYSTEMS, System

ECON_T = econ_t()
LINKS = (5, 3, 1, 1, 9)
"""Of the modules of the geometry file in a layer that is read and in this project's detector."""


def run(folder: Path, *arguments: str, systems: tuple[str, ...] = ("everything", "bc")) -> object:
    words = [word for name in systems for word in ("--system", name)]
    result = CliRunner().invoke(ECON_T, ["trigger", "run", *words, "--output", str(folder / "out"), "--cache",
                                         str(folder / "collisions"), *arguments])
    return result


def test_comparison_is_shown_and_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = run(tmp_path, "--pile-up", "0", "--events", "3", "--json", str(tmp_path / "trigger.json"),
                 "--csv", str(tmp_path / "trigger.csv"))
    assert result.exit_code == 0, result.output
    shown = result.output + capfd.readouterr().err
    assert "3 events of electrons with 0 pile-up" in shown and "everything" in shown and "BC" in shown
    study = TriggerStudy.load(tmp_path / "trigger.json")
    assert [one.name for one in study.systems] == ["everything", "BC"]
    assert study.system("BC").on("electrons").links.bits > 50
    rows = list(csv.DictReader((tmp_path / "trigger.csv").read_text().splitlines()))
    assert [(row["sample"], row["system"]) for row in rows] == [("electrons", "everything"), ("electrons", "BC")]
    objects = study.system("BC").on("electrons").objects
    response = objects and objects.response.value
    assert float(rows[1]["response"] or "nan") == pytest.approx(response or np.nan, nan_ok=True)
    assert float(rows[1]["bits"]) == study.system("BC").on("electrons").links.bits
    with pytest.raises(KeyError, match="BX: expected one of everything, BC"):
        study.system("BX")


@pytest.mark.parametrize(("systems", "arguments", "message"), [
    (("bc", "bc"), (), "error: --system: two systems have the name 'BC'; expected different ones"),
    (("bd",), (), "error: bd: no such file and no system of this name; expected a file or one of"),
    (("bc",), ("--sample", "electron"), "error: sample 'electron', expected one of"),
    (("bc",), ("--ntuple", "file.root"), "error: --ntuple: 'file.root', expected SAMPLE=FILE with one of electrons, "),
    (("bc",), ("--pile-up", "inf"), "Invalid value for '--pile-up'"),
    (("bc",), ("--ntuple", "jets=nothing.root"), "error: nothing.root: no such file"),
    (("bc",), ("--ntuple", "jets=a", "--ntuple", "jets=b"), "error: --ntuple: two files for jets; expected one"),
    (("bc",), ("--allocation", "nothing.txt"), "error: allocation: nothing.txt: no such file; expected 'layers' or a"),
    (("bc",), ("--allocation", "layer"), "; did you mean 'layers'?"),
])
def test_what_is_refused(
    systems: tuple[str, ...], arguments: tuple[str, ...], message: str, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    result = run(tmp_path, *arguments, systems=systems)
    shown = result.output + capfd.readouterr().err
    assert result.exit_code == 2 and message in shown
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_not_there_is_named_before_anything_is_made(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    system = tmp_path / "mine.yaml"
    system.write_text("name: mine\nrules:\n  - {algorithm: AE, weights: 'nowhere/{links}'}\n")
    result = run(tmp_path, systems=(str(system),))
    shown = " ".join((result.output + capfd.readouterr().err).split())
    assert result.exit_code == 2 and "mine.yaml: weights: nowhere/2: " in shown
    assert "is missing; expected the folder of a finished run" in shown and not (tmp_path / "out").exists()


def test_jets_are_generated_above_20_gev(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("pythia8mc")
    pytest.importorskip("fastjet")
    result = run(tmp_path, "--sample", "jets", "--pile-up", "0", "--events", "1", systems=("bc",))
    shown = " ".join((result.output + capfd.readouterr().err).split())
    assert result.exit_code == 0
    assert "jets: nothing above 20 GeV was generated in 1 events; take more with --events" in shown
    assert "momenta of all are not calibrated" in caplog.text


def test_minimum_bias_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("uproot")
    path = ntuples.write(tmp_path / "file.root", [ntuples.event(np.random.default_rng(2), 30)])
    result = run(tmp_path, "--ntuple", f"minbias={path}", "--events", "1")
    shown = " ".join((result.output + capfd.readouterr().err).split())
    assert result.exit_code == 0 and "1 events of minbias with 200 pile-up" in shown
    assert "Rates are of calibrated objects: add a sample to calibrate with, such as --sample electrons." in shown
    assert "BC 2.23 70.9 0.99" in shown


def test_links_of_the_geometry_file(tmp_path: Path) -> None:
    """Modules of all three sectors get the links of the file, those that it does not have two."""
    (tmp_path / "geometry.txt").write_text(GEOMETRY)
    result = run(tmp_path, "--pile-up", "0", "--events", "1", "--allocation", str(tmp_path / "geometry.txt"), "--json",
                 str(tmp_path / "trigger.json"))
    assert result.exit_code == 0, result.output
    links = TriggerStudy.load(tmp_path / "trigger.json").system("BC").on("electrons").links
    others = len(modules().layer) - 3 * len(LINKS)
    assert links.modules == {"BC, 2 links": others} | {f"BC, {n} links": 3 * LINKS.count(n) for n in LINKS}


def test_links_of_the_published_geometry_file(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "geometry_hgcal.txt"
    result = run(tmp_path, "--pile-up", "0", "--events", "1", "--allocation", str(path), "--json",
                 str(tmp_path / "trigger.json"))
    assert result.exit_code == 0, result.output
    links = TriggerStudy.load(tmp_path / "trigger.json").system("BC").on("electrons").links
    table = pd.read_csv(path, sep=r"\s+")
    busiest = int(table[table.plane.isin(modules().layer)].trigLinks.max())
    assert max(int(name.split()[1]) for name in links.modules) == busiest > 4
    assert 2.3 < links.mean_links < 2.7, "2.23 by layer; the file has more on the first ones"


def test_events_of_an_ntuple(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("uproot")
    rng = np.random.default_rng(1)
    particles = {"gen_pt": [50.0], "gen_eta": [2.0], "gen_phi": [0.3], "gen_pdgid": [11]}
    events = [ntuples.event(rng, 30) | {name: np.array(values) for name, values in particles.items()} for _ in range(6)]
    path = ntuples.write(tmp_path / "file.root", events)
    result = run(tmp_path, "--ntuple", f"electrons={path}", "--events", "6", "--json", str(tmp_path / "trigger.json"))
    shown = result.output + capfd.readouterr().err
    assert result.exit_code == 0, shown
    found = TriggerStudy.load(tmp_path / "trigger.json").system("everything").on("electrons")
    assert found.objects is not None and found.objects.n_generated == 6 and found.links.charge == 1.0
    assert not (tmp_path / "collisions").exists(), "nothing is generated"


def test_systems_are_listed() -> None:
    result = CliRunner().invoke(ECON_T, ["trigger", "systems"])
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert "bc BC BC" in lines and "everything everything all" in lines
    assert "mixed BC and STC BC (layers 1 to 28); STC (layers 29 to 50)" in lines
    assert any(line.endswith("AE (links 2 and 3, weights econ_t_{links}elink, least sum 47); BC") for line in lines)


def test_systems_for_machines_are_those_of_the_files(tmp_path: Path) -> None:
    result = CliRunner().invoke(ECON_T, ["trigger", "systems", "--json", str(tmp_path / "s.json"), "--csv", "-"])
    assert result.exit_code == 0, result.output
    listed = {one["name"]: one for one in json.loads((tmp_path / "s.json").read_text())}
    assert {*listed} == {path.stem for path in SYSTEMS.glob("*.yaml")}
    for name, one in listed.items():
        assert System.model_validate({"name": one["title"], "links": {"allocation": one["links"]}} | {
            key: one[key] for key in ("rules", "clusters", "layer_weights")}).digest() == System.load(name).digest()
    rows = [row for row in csv.DictReader(io.StringIO(result.stdout)) if row["system"] == "mixed"]
    assert [(row["rule"], row["algorithm"], row["layers"]) for row in rows] == [
        ("1", "BC", "1 28"), ("2", "STC", "29 50")]
