"""The command that compares runs with the algorithms of the chip."""

from __future__ import annotations

from dataclasses import dataclass
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
from training.results.head_to_head import HeadToHead


@dataclass(frozen=True)
class Compared:
    """What the command printed and wrote of some runs."""

    output: str
    result: Comparison
    input: Path
    runs: list[Path]


@pytest.fixture(scope="module")
def compared(random_runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Compared:
    folder = tmp_path_factory.mktemp("compared")
    write_calq(folder / "calq.csv", CALQ[:, image_order()])
    arguments = ["compare", "--input", str(folder / "calq.csv"), "--links", "2", "--links", "5", "--json",
                 str(folder / "physics.json"), "--nCSV", "20", "--n-modules", "300"]
    for run in random_runs:
        arguments += ["--run", str(run)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return Compared(done.output, Comparison.load(folder / "physics.json"), folder / "calq.csv", random_runs)


def test_every_run_is_a_scheme_of_its_links(compared: Compared) -> None:
    encoders = {row.name: row.n_elinks for row in compared.result.schemes if row.algorithm == "AE"}
    assert encoders == {"AE econ_t_2elink": 2, "AE econ_t_5elink": 5, "AE qkeras_5elink": 5}


def test_the_verdict_is_printed(compared: Compared) -> None:
    assert "2 links: " in compared.output and "5 links: " in compared.output


def test_the_result_names_its_weights_and_its_data(compared: Compared) -> None:
    made_from = {f"AE {run.name}": EncoderWeights.load(run / "weights.npz", Config.load(
        run / "config.yaml").encoder).digest() for run in compared.runs}
    assert compared.result.weights == made_from and compared.result.data == str(compared.input)
    assert compared.result.n_modules == 300


def test_rows_of_input_latents_and_output_are_written_into_each_run(compared: Compared) -> None:
    for run in compared.runs:
        np.testing.assert_array_equal(read_calq(run / "csv" / "input.csv").calq[:, np.argsort(image_order())],
                                      CALQ[:20])
        rows = {name: (run / "csv" / name).read_text().splitlines() for name in ("latent.csv", "output.csv")}
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


def test_two_runs_of_one_name_are_refused(random_runs: list[Path]) -> None:
    done = CliRunner().invoke(app, ["compare", "--run", str(random_runs[0]), "--run", str(random_runs[0])])
    assert done.exit_code == 2 and "two runs are called econ_t_5elink" in done.output


def test_a_run_of_other_links_is_refused(random_runs: list[Path]) -> None:
    done = CliRunner().invoke(app, ["compare", "--run", str(random_runs[0]), "--links", "3"])
    assert done.exit_code == 2 and "AE econ_t_5elink is for 5 links" in done.output


def test_two_runs_head_to_head_on_two_samples(random_runs: list[Path], tmp_path: Path) -> None:
    for name, calq in (("a.csv", CALQ[:120]), ("b.csv", CALQ[120:200])):
        write_calq(tmp_path / name, calq[:, image_order()])
    first, second = random_runs[:2]
    inputs = [word for name in ("a.csv", "b.csv") for word in ("--input", str(tmp_path / name))]
    done = CliRunner().invoke(app, ["compare", str(first), str(second), *inputs, "--json", str(tmp_path / "ab.json"),
                                    "--csv", str(tmp_path / "ab.csv")])
    assert done.exit_code == 0, done.output
    found = HeadToHead.load(tmp_path / "ab.json")
    assert (found.first, found.second) == (f"AE {first.name}", f"AE {second.name}")
    assert [(one.data, one.n_modules) for one in found.samples] == [(str(tmp_path / "a.csv"), 120),
                                                                    (str(tmp_path / "b.csv"), 80)]
    for number in (1, 2):
        assert f"sample {number}: " in done.output
    assert len((tmp_path / "ab.csv").read_text().splitlines()) == 1 + 2 * len(found.samples[0].metrics)


@pytest.mark.parametrize("more", [[], ["B", "C"], ["B", "--run", "D"], ["B", "--links", "5"], ["B", "--nCSV", "3"]])
def test_head_to_head_takes_two_runs_and_nothing_else(more: list[str]) -> None:
    done = CliRunner().invoke(app, ["compare", "A", *more])
    assert done.exit_code == 2 and "expected two runs to compare head to head, without" in done.output
