"""The command `show`: a module on the terminal and as files, all latents, and errors in one line."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models.calq_io import write_calq
from models.config import Config
from models.trigger_cells import N_TRIGGER_CELLS, distance_matrix
from models.weights import EncoderWeights
from training.__main__ import app
from training.commands.console import histogram_text
from training.commands.wafer_text import wafer_text, wafers_text
from training.production.toy import generate
from training.results.latents import LatentStatistics
from training.results.module import SentModule

CONFIG = Config.load("econ_t_3elink")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run with random weights and no decoder."""
    EncoderWeights.random(CONFIG.encoder, 1, density=0.4).save(tmp_path / "weights.npz")
    CONFIG.save(tmp_path / "config.yaml")
    write_calq(tmp_path / "test.csv", generate(20, 1))
    return tmp_path


def show(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["show", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.output


def test_every_cell_has_its_place_beside_its_neighbours() -> None:
    lines = wafer_text(np.arange(1, N_TRIGGER_CELLS + 1), 4)
    place = {int(found[0]): (line, found.end() // 4) for line, text in enumerate(lines)
             for found in re.finditer(r"\d+", " " + text)}
    assert sorted(place) == list(range(1, N_TRIGGER_CELLS + 1))
    near = np.argwhere(np.triu(distance_matrix() < 2.5, 1))  # the sensor-cell pitch is the unit: neighbouring cells
    assert len(near) > 100
    for a, b in near + 1:
        (line, column), (other_line, other_column) = place[a], place[b]
        assert abs(line - other_line) <= 3 and abs(column - other_column) <= 1, (a, b)


def test_maps_stand_side_by_side_where_there_is_room() -> None:
    maps = [("one", [0.0] * 48, False), ("two", [1.0] * 48, False)]
    wide, narrow = wafers_text(maps, 80), wafers_text(maps, 40)
    assert re.match(r"one +two$", wide.splitlines()[0]) and narrow.splitlines()[0] == "one"
    assert max(map(len, wide.splitlines())) <= 80 and wide.count(".") == narrow.count(".") == 48
    assert wafer_text([-3.4] * 48, 4, signed=True)[0].split() == ["-3", "-3"]


def test_histogram_text() -> None:
    assert histogram_text([0, 1, 50, 100, 0, 0]) == " .+@"


def test_module_on_the_terminal_and_as_files(run: Path) -> None:
    for name in ("m.png", "m.svg", "m.html"):
        shown = show("--input", run / "test.csv", "--row", 3, "--links", 3, "--json", run / "m.json", "--output",
                     run / name)
    module = SentModule.load(run / "m.json")
    charge = generate(20, 1)[3]
    assert sum(module.true) == charge.sum() and f"module sum {charge.sum():,} CALQ" in shown
    for one in module.best:
        assert f"{one.scheme}, 3 links" in shown and f"words: {' '.join(one.words)}" in shown
    assert (run / "m.png").read_bytes().startswith(b"\x89PNG") and "<svg" in (run / "m.svg").read_text()
    page = (run / "m.html").read_text(encoding="utf-8")
    assert page.count("<main>") == 1 and 'role="img" aria-label="Charges of row 3' in page
    ids: list[str] = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', page)) <= set(ids)
    parser = HTMLParser()
    parser.feed(page)


def test_latents_of_all_rows(run: Path) -> None:
    shown = show("--run", run, "--json", run / "latents.json")
    found = LatentStatistics.load(run / "latents.json")
    assert found.n_modules == 20 and str(found) in shown and "entropy" in shown


@pytest.mark.parametrize(("arguments", "message"), [
    (["--row", "1"], "nothing to show; expected --run or --input"),
    (["--input", "test.csv", "--row", "20"], "--row 20, expected 0..19"),
    (["--input", "test.csv", "--row", "1", "--algorithm", "CB"], "--algorithm CB, expected AE, TS, BC, STC, RPT, all"),
    (["--input", "test.csv", "--row", "1", "--algorithm", "AE"], "--algorithm AE needs --run"),
    (["--run", ".", "--row", "1", "--links", "5"], "--links 5, but . is for 3"),
    (["--run", ".", "--links", "3"], "--row is missing; without it, --run shows the latents of all rows"),
    (["--input", "test.csv", "--row", "1", "--output", "m.gif"], "--output m.gif, expected a name that ends in .png"),
])
def test_wrong_options_are_one_line(
    run: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(run)
    done = CliRunner().invoke(app, ["show", *arguments])
    assert done.exit_code == 2 and message in done.stderr and done.stderr.count("\n") == 1, done.output
    assert not (run / "m.gif").exists()
