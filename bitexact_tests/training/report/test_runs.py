"""One page of many runs: their ranking on the same modules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.schemes import CALQ
from models.calq_io import write_calq
from models.trigger_cells import image_order
from training.__main__ import app
from training.fit.run import Run
from training.results.comparison import Comparison


def cells(page: str, section: str) -> list[list[str]]:
    """Texts of the first table of a section, row by row."""
    part = page[page.index(f'<section id="{section}">') :]
    part = part[: part.index("</table>")]
    return [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in part.split("<tr>")[2:]]


def test_runs_are_ranked_by_their_emd_on_each_number_of_links(runs_page: Path) -> None:
    page, physics = (runs_page / "report.html").read_text(encoding="utf-8"), Comparison.load(runs_page / "physics.json")
    assert physics.budgets == (2, 5) and physics.n_modules == 200
    expected = [(str(n), str(rank), one.name.removeprefix("AE "))
                for n in (2, 5) for rank, one in enumerate(
                    (one for one in physics.table(n) if one.algorithm == "AE"), start=1)]
    rows = cells(page, "ranking")
    assert [tuple(row[:3]) for row in rows] == expected and len(rows) == 3
    gates = {row[2]: row[-1] for row in rows}
    assert gates == {"econ_t_5elink": "123,456", "econ_t_2elink": "234,567", "qkeras_5elink": "-"}
    for row, (n, _, name) in zip(rows, expected, strict=True):
        one = physics.scheme(f"AE {name}", int(n))
        assert row[3].startswith(f"{one.emd_mean:.3f}") and one.margin is not None
        assert row[4].startswith(f"{one.margin.difference:.3f}")


def test_page_says_how_each_run_was_trained_and_shows_all_explorers(runs_page: Path) -> None:
    page = (runs_page / "report.html").read_text(encoding="utf-8")
    assert [row[:4] for row in cells(page, "runs")] == [
        ["econ_t_5elink", "econ_t_5elink", "5", "chip"], ["econ_t_2elink", "econ_t_2elink", "2", "chip"],
        ["qkeras_5elink", "qkeras_5elink", "5", "qkeras"]]
    assert "3 runs compared" in page and "on 2 links" not in page[: page.index("<main>")]
    assert re.findall(r'data-explorer="(\w+)"', page) == ["pareto", "modules", "profiles", "distributions", "learning"]
    assert '"econ_t_5elink":{"loss":[2.0,1.0]' in page


def test_a_shipped_set_says_how_it_was_trained(tmp_path: Path) -> None:
    """Of its last training, from its card."""
    write_calq(tmp_path / "calq.csv", CALQ[:40, image_order()])
    done = CliRunner().invoke(app, ["report", "--compare", "econ_t_2elink", "--input", str(tmp_path / "calq.csv"),
                                    "--output", str(tmp_path / "report.html")])
    assert done.exit_code == 0, done.output
    last = Run("econ_t_2elink").card.trained_on[-1]
    (row,) = cells((tmp_path / "report.html").read_text(encoding="utf-8"), "runs")
    assert row[5:10] == [last.loss, str(last.epochs), "-", f"{last.n_train:,}", last.modules]


@pytest.mark.parametrize(("arguments", "message"), [
    (["--compare"], "--compare: no folder of a run is given, expected at least one"),
    (["--compare", "x", "--run", "y"],
     "--compare takes folders of runs alone, without --run, --config, --figures and --umap"),
    ([], "expected --run and one folder, or --compare and the folders of several runs"),
    (["x"], "expected --run and one folder, or --compare and the folders of several runs"),
    (["--run", "x", "y"], "expected --run and one folder, or --compare and the folders of several runs"),
])
def test_wrong_calls_are_one_line(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["report", *arguments])
    assert done.exit_code == 2 and message in done.output and done.output.count("\n") == 1
