"""Recipes: trained in their order, several at a time, resumed, shipped; nothing else is touched."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.runs import small
from models import shipped
from models.calq_io import write_calq
from models.config import Config
from models.errors import InputError, ToolFailed
from training.__main__ import app
from training.production.toy import generate

pytest.importorskip("tensorflow")

from training.fit.recipes import OUTPUT, train_recipes, with_starts
from training.fit.run import Run

DECODER = {"width": 8, "layers": 1}


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two recipes, of which the first by name starts from the second."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    write("econ_t_4elink", folder, stages=[{"start": "runs/weights/econ_t_5elink/stages/1"}, {"learning_rate": 0.001}])
    write("econ_t_5elink", folder, stages=[{}, {"learning_rate": 0.002}])
    monkeypatch.setattr(shipped, "RECIPES", folder)
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "trained")
    monkeypatch.setattr("training.fit.recipes.COMPACT", ("--macs", "1000", "--share", "0", "--epochs", "1"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return folder


def write(name: str, folder: Path, **training: object) -> None:
    small(name, epochs=1, decoder=DECODER, **training).override(data={"n_modules": 100}).save(folder / f"{name}.yaml")


@pytest.mark.slow
def test_all_are_trained_and_shipped_and_nothing_twice(recipes: Path, tmp_path: Path) -> None:
    write_calq(tmp_path / "published.csv", generate(60, 3))
    arguments = ["weights", "make", "--published", str(tmp_path / "published.csv")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert shipped.names() == ("econ_t_4elink", "econ_t_5elink")
    order = [line.split(":")[0] for line in done.stderr.splitlines() if ": training" in line or ": trained" in line]
    assert order == ["econ_t_5elink"] * 2 + ["econ_t_4elink"] * 2, "one starts from the other"
    for name in shipped.names():
        one = Run(shipped.FOLDER / name)
        assert one.card.weights == Run(OUTPUT / name).weights.digest()
        assert [sample.name for sample in one.card.samples] == ["held_out", "published", "generated"]
        assert [compact.name for compact in one.card.compact] == ["compact_1k"]
    assert {path.name for path in Path().iterdir()} == {"runs"} and {path.name for path in OUTPUT.iterdir()} == {
        "econ_t_4elink", "econ_t_5elink", "econ_t_4elink.log", "econ_t_5elink.log"}
    before = {path: path.stat().st_mtime_ns for path in [*shipped.FOLDER.rglob("*"), *OUTPUT.rglob("*.npz")]}
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 0 and again.stderr.count("shipped already") == 2
    assert before == {path: path.stat().st_mtime_ns for path in before}
    write("econ_t_5elink", recipes)
    changed = CliRunner().invoke(app, ["weights", "make", "econ_t_5elink"])
    assert changed.exit_code == 2 and "--retrain to replace it" in changed.output
    assert before == {path: path.stat().st_mtime_ns for path in before}
    changed = CliRunner().invoke(app, ["weights", "make", "econ_t_5elink", "--retrain"])
    assert changed.exit_code == 0, changed.output
    assert Run("econ_t_5elink").card.fingerprint == Run(OUTPUT / "econ_t_5elink").summary.fingerprint


def test_one_recipe_alone(recipes: Path) -> None:
    done = CliRunner().invoke(app, ["weights", "make", "econ_t_5elink"])
    assert done.exit_code == 0 and shipped.names() == ("econ_t_5elink",), done.output
    assert not (OUTPUT / "econ_t_4elink").exists()


def test_a_recipe_brings_those_that_it_starts_from(recipes: Path) -> None:
    assert with_starts(["econ_t_4elink"], paths(recipes)).keys() == {"econ_t_4elink", "econ_t_5elink"}
    assert with_starts(["econ_t_5elink"], paths(recipes)).keys() == {"econ_t_5elink"}


def python(code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let this code stand for every training."""
    program = tmp_path / "python"
    program.write_text(f"#!{sys.executable}\n{code}\n")
    program.chmod(0o755)
    monkeypatch.setattr("training.fit.recipes.sys.executable", str(program))


def paths(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def test_as_many_as_asked_for_run_at_a_time_on_one_core_each(
    recipes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("qkeras_2elink", "qkeras_3elink", "qkeras_4elink"):
        write(name, recipes)
    python("import os, sys, time\n"
           "if 'distill' in sys.argv:\n    sys.exit()\n"
           "name = os.path.basename(sys.argv[-1])\n"
           "open(name + '.' + os.environ['TF_NUM_INTRAOP_THREADS'], 'w').close()\n"
           "print(len([one for one in os.listdir('.') if one.endswith('.1')]))\n"
           "time.sleep(0.5); os.remove(name + '.1')", monkeypatch, tmp_path)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    train_recipes(paths(recipes), 2, lambda line: None)
    counts = [int(path.read_text()) for path in OUTPUT.glob("*.log")]
    assert len(counts) == 5 and max(counts) == 2


def test_a_training_that_fails_is_named_and_the_others_end(
    recipes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("qkeras_2elink", recipes)
    python("import sys\nif '5elink' in sys.argv[-1]:\n    sys.exit('error: out of luck\\n')", monkeypatch, tmp_path)
    said: list[str] = []
    with pytest.raises(ToolFailed, match=r"^2 of 3 trainings failed; econ_t_5elink: error: out of luck$"):
        train_recipes(paths(recipes), 1, said.append)
    assert "qkeras_2elink: trained" in said and not any("econ_t_4elink: training" in line for line in said)


def test_compact_decoders_follow_their_run_and_their_failure_is_one_too(
    recipes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python("import sys\nprint(sys.argv[3])\nif 'distill' in sys.argv and '4elink' in sys.argv[-1]:\n"
           "    sys.exit('error: too small\\n')", monkeypatch, tmp_path)
    with pytest.raises(ToolFailed, match=r"^1 of 2 trainings failed; econ_t_4elink: error: too small$"):
        train_recipes(paths(recipes), 2, lambda line: None)
    assert (OUTPUT / "econ_t_5elink.log").read_text().splitlines() == ["train", "distill"]


def test_recipes_that_start_from_each_other_are_refused(recipes: Path) -> None:
    write("econ_t_5elink", recipes, stages=[{"start": "runs/weights/econ_t_4elink"}])
    with pytest.raises(InputError, match="recipes econ_t_4elink, econ_t_5elink start from each other"):
        train_recipes(paths(recipes), 2, lambda line: None)


@pytest.mark.parametrize(("arguments", "message"), [
    (["econ_t_6elink"], "econ_t_6elink: no recipe of this name; expected one of econ_t_"),
    (["--published", "none.csv"], "none.csv: no such file"),
])
def test_bad_arguments_are_found_before_training(arguments: list[str], message: str, recipes: Path) -> None:
    done = CliRunner().invoke(app, ["weights", "make", *arguments])
    assert done.exit_code == 2 and message in done.output and not list(Path().iterdir())


def test_a_recipe_is_named_as_its_file(recipes: Path) -> None:
    (recipes / "econ_t_5elink.yaml").rename(recipes / "other.yaml")
    with pytest.raises(InputError, match=r"other\.yaml: name econ_t_5elink, expected other as the file"):
        train_recipes(paths(recipes), 1, lambda line: None)


def test_recipes_of_the_project_make_chip_encoders_of_generated_modules() -> None:
    names = [path.stem for path in shipped.RECIPES.glob("*.yaml")]
    assert "econ_t_5elink" in names
    for name in names:
        recipe, plain = Config.load(shipped.RECIPES / f"{name}.yaml"), Config.load(name)
        assert recipe.name == name and recipe.encoder == plain.encoder
        assert all(not stage.config.data.files for stage in recipe.stages())
