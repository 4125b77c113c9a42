"""Study of limits: what is varied and what is not, on which modules all are tested, and what is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.runs import small
from models.config import Config
from training.__main__ import app
from training.data.dataset import Dataset
from training.figures.limits import emd_against_limits
from training.results.limits import LimitPoint, Limits
from training.studies import limits
from training.studies.limits import run_limits, variants

CONFIG = Config.load("econ_t_5elink").override(training={"epochs": 4, "passes": 2})


def test_each_variant_differs_in_one_value_alone() -> None:
    found = variants(CONFIG, 6400)
    assert [(one.curve, one.value) for one in found if one.own] == [
        ("bits", 9), ("latents", 16), ("refinements", 0), ("modules", 6400)]
    assert len({one.folder for one in found}) == len(found) - 3  # one run for the configuration
    for one in found:
        spec, training = one.config.encoder, one.config.training
        assert spec.latent_bits == (one.value if one.curve == "bits" else 9)
        assert spec.dense.outputs == (one.value if one.curve == "latents" else 16)
        assert training.decoder.refinements == (one.value if one.curve == "refinements" else 0)
        assert (one.config.data == CONFIG.data) == (one.own or one.curve != "modules")
        if one.own:
            assert one.config == CONFIG


def test_all_trainings_have_equally_many_steps() -> None:
    for one in variants(CONFIG, 6400):
        if one.curve == "modules" and not one.own:
            config = one.config.evolve(data={"source": "toy"})
            rows = config.data.n_modules
            held_out = sum(round(part * rows) for part in (config.training.validation_fraction,
                                                           config.training.test_fraction))
            assert rows - held_out == one.value
            assert one.value * config.training.passes == 6400 * CONFIG.training.passes
            assert config.data.seed != CONFIG.data.seed
        else:
            assert one.config.training.passes == CONFIG.training.passes
        assert one.config.training.epochs == CONFIG.training.epochs


def test_modules_of_a_file_are_not_varied() -> None:
    config = CONFIG.override(data={"files": ["calq.csv"]})
    assert {one.curve for one in variants(config, 6400)} == {"bits", "latents", "refinements"}


def test_no_test_module_is_trained_on_when_fewer_are_generated() -> None:
    config = small()
    test = {row.tobytes() for row in Dataset.from_config(config).test.calq}
    fewer = [one for one in variants(config, 256) if one.curve == "modules" and not one.own]
    assert len(fewer) == 3
    for one in fewer:
        trained = Dataset.from_config(one.config).train.calq
        assert not test & {row.tobytes() for row in trained if np.count_nonzero(row) > 3}


def test_a_study_trains_and_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow")
    monkeypatch.setattr(limits, "LINKS", (3,))
    monkeypatch.setattr(limits, "LATENTS", (16,))
    monkeypatch.setattr(limits, "REFINEMENTS", (0,))
    monkeypatch.setattr(limits, "PARTS", (4,))
    monkeypatch.setattr(limits, "CHOOSING", 20)
    config = small(epochs=1, final_fraction=0)
    lines: list[str] = []
    found = run_limits(config, tmp_path, (2,), lines.append)
    assert Limits.load(tmp_path / "limits.json") == found
    assert lines[0].startswith("modules 260, seed 2: mean EMD ") and len(lines) == len(found.points) == 2
    assert {value: len(emd) for value, emd in found.curve("modules").items()} == {65: 1, 260: 1}
    selected = (Dataset.from_config(config).test.calq > 35).any(axis=1).sum()
    assert {one.n_modules for one in found.points} == {selected}  # the same test modules for all
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["modules_65_s2", "own_s2"]
    before = (tmp_path / "own_s2" / "weights.npz").stat().st_mtime_ns
    assert run_limits(config, tmp_path, (2,)) == found
    assert (tmp_path / "own_s2" / "weights.npz").stat().st_mtime_ns == before


def test_figure_has_a_panel_for_each_curve_and_a_star_for_the_configuration() -> None:
    points = [LimitPoint(curve="bits", value=value, own=value == 9, seed=seed, emd_mean=emd, emd_error=0.01,
                         n_modules=10) for value, seed, emd in ((3, 1, 0.8), (9, 1, 0.5), (9, 2, 0.52))]
    points += [LimitPoint(curve="modules", value=1000, own=True, seed=1, emd_mean=None, emd_error=None, n_modules=0)]
    points += [LimitPoint(curve="latents", value=8, own=False, seed=1, emd_mean=3.0, emd_error=0.01, n_modules=10)]
    result = Limits(config="name", steps=7, test="toy", points=tuple(points))
    axes, other = emd_against_limits(result).axes
    for one in (axes, other):
        bottom, top = one.get_ylim()
        assert bottom == 0 and top > 3  # no point outside, in any panel
    assert axes.get_xlabel() == "bits per latent"
    line, *markers = axes.lines
    np.testing.assert_array_equal(line.get_ydata(), [0.8, 0.51])
    assert [marker.get_marker() for marker in markers] == ["o", "*"]


def test_stages_of_a_recipe_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Config] = []

    def study(config: Config, *_: object) -> Limits:
        seen.append(config)
        return Limits(config="a", steps=1, test="toy", points=(LimitPoint(
            curve="bits", value=9, own=True, seed=1, emd_mean=1.0, emd_error=None, n_modules=1),))

    monkeypatch.setattr("training.commands.limits.run_limits", study)
    recipe = Path(limits.__file__).parents[2] / "configs" / "weights" / "econ_t_5elink.yaml"
    done = CliRunner().invoke(app, ["limits", "--config", str(recipe), "--epochs", "3", "--output", str(tmp_path),
                                    "--csv", "-"])
    assert done.exit_code == 0, done.output
    assert "a: mean EMD of toy, 1 step each" in done.stderr
    assert done.stdout.splitlines() == ["curve,value,own,seed,emd_mean,emd_error,n_modules", "bits,9,True,1,1.0,,1"]
    (config,) = seen
    assert config.training.stages == () and config.training.epochs == 3
    assert (tmp_path / "limits.png").exists()
