"""Shipped sets: what is in one, that its card is reproduced by anybody, and that every command takes it by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from bitexact_tests.samples.runs import small
from models import shipped
from models.calq_io import read_calq, write_calq
from models.command_line import econ_t
from models.compact_decoder import CompactDecoder
from models.errors import InputError
from models.npz import read_npz
from training.__main__ import app
from training.data.dataset import charges_digest
from training.production.toy import generate
from training.report.cards import card_page, cards_table
from training.results.card import Card

pytest.importorskip("tensorflow")

from training.fit.run import Run
from training.fit.ship import is_up_to_date, ship
from training.fit.train import train
from training.physics.evaluation import evaluate
from training.studies.distillation import Options, distil

CONFIG = small("econ_t_2elink", epochs=1, stages=[{"epochs": 2}, {"learning_rate": 0.001, "final_fraction": 1}],
               decoder={"width": 8, "layers": 1, "refinements": 1, "refinement_width": 8})


@dataclass(frozen=True)
class Shipped:
    """A run of two stages, the set that was shipped from it, and a measured file."""

    run: Run
    card: Card
    published: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipped]:
    root = tmp_path_factory.mktemp("ship")
    (root / "work").mkdir()
    write_calq(root / "published.csv", generate(200, 9))
    run = Run(root / "run")
    train(CONFIG, run.folder)
    distil(run, run.config.evolve(training={"stages": (), "epochs": 1}), Options(macs=(2500, 1000), share=0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shipped, "FOLDER", root / "trained")
        patch.chdir(root / "work")
        yield Shipped(run, ship(run, root / "published.csv"), root / "published.csv")
        assert {path.name for path in (root / "trained" / "econ_t_2elink").iterdir()} == {
            "weights.npz", "decoder.npz", "config.yaml", "card.json", "compact_1k.npz",
            "compact_2500.npz"}, "a command wrote into the shipped set"


def econ(*arguments: str) -> Result:
    return CliRunner().invoke(econ_t(), list(arguments))


def test_the_set_is_that_of_the_run_in_half_precision(made: Shipped) -> None:
    one = Run("econ_t_2elink")
    assert one.is_shipped and one.config == made.run.config and one.card == made.card
    np.testing.assert_array_equal(one.weights.flat, made.run.weights.flat)
    stored = read_npz(one.decoder_file, {"weights"})["weights"]
    assert stored.dtype == np.float16
    for half, whole in zip(one.decoder.get_weights(), made.run.decoder.get_weights(), strict=True):
        assert half.dtype == np.float32
        np.testing.assert_array_equal(half, whole.astype(np.float16).astype(np.float32))
    inside = next(layer for layer in one.decoder.layers if layer.name == "encoded_0").trainable_weights
    for variable, values in zip(inside, one.weights.values().values(), strict=True):
        np.testing.assert_array_equal(variable.numpy(), values, "half precision moved a code")


def test_the_card_has_the_metrics_of_the_files_as_shipped(made: Shipped) -> None:
    one, modules = Run("econ_t_2elink"), read_calq(made.published).calq
    names = [sample.name for sample in made.card.samples]
    assert names == ["held_out", "published", "generated"]
    for name, calq in zip(names, (modules[held_out(200)], modules, made.run.test.calq), strict=True):
        sample = made.card.sample(name)
        assert sample is not None and sample.digest == charges_digest(calq)
        assert dict(sample).items() >= dict(evaluate(one.weights, one.decoder, calq)).items()
        assert sample.emd_error is not None and sample.emd_error > 0


def held_out(n: int) -> Any:
    return np.sort(np.random.default_rng(1).permutation(n)[: round(0.25 * n)])


def test_compact_decoders_are_shipped_with_metrics_of_their_own(made: Shipped) -> None:
    assert [one.name for one in made.card.compact] == ["compact_1k", "compact_2500"], "smallest first"
    assert [one.macs for one in made.card.compact] == sorted(one.macs for one in made.card.compact)
    assert [path.stem for path in Run("econ_t_2elink").compact_files()] == [one.name for one in made.card.compact]
    modules = read_calq(made.published).calq
    for one in made.card.compact:
        decoder = CompactDecoder.load(Path(f"econ_t_2elink/{one.name}.npz"))
        np.testing.assert_array_equal(decoder.flat, CompactDecoder.load(made.run.folder / f"{one.name}.npz").flat)
        assert (one.digest, one.macs) == (decoder.digest(), decoder.spec.macs)
        assert made.card.samples_of(one.name) == one.samples != made.card.samples == made.card.samples_of(None)
        sample = made.card.sample_of(charges_digest(modules), one.name)
        assert sample and dict(sample).items() >= dict(evaluate(made.run.weights, decoder, modules)).items()
        done = econ("evaluate", "--weights", "econ_t_2elink", "--decoder", f"econ_t_2elink/{one.name}.npz", "--input",
                    str(made.published), "--check-card")
        assert done.exit_code == 0 and f"{sample.emd_mean:.4f}: difference +0.0000" in done.output, done.output
    assert made.card.samples_of("compact_9k") == ()


def test_only_compact_decoders_of_the_run_are_shipped(made: Shipped, tmp_path: Path) -> None:
    run = Run(shutil.copytree(made.run.folder, tmp_path / "run"))
    assert is_up_to_date(run)
    known = run.distillation_file.read_text()
    run.distillation_file.write_text(known.replace(made.card.compact[0].digest, "0" * 16))
    with pytest.raises(InputError, match=r"compact_1k\.npz: not in .*distillation\.json, expected a decoder that"):
        ship(run)
    run.distillation_file.write_text(known)
    (run.folder / "compact_1k.npz").unlink()
    assert not is_up_to_date(run), "the card has a decoder that the run has not"


def test_the_card_says_what_it_was_trained_on(made: Shipped) -> None:
    first, last = made.card.trained_on
    assert first.run == last.run == "run"
    assert (first.epochs, first.loss, first.learning_rate) == (2, "kernel, the last 25% emd", 0.01)
    assert (last.epochs, last.loss, last.learning_rate) == (1, "emd", 0.001)
    assert first.modules == "simple generator, seed 1" and first.n_train == 260 and first.n_steps == 2 * (260 // 32)
    assert last.data_digest == made.run.summary.data_digest and last.val_emd == made.run.summary.val_emd
    assert made.card.command == "econ-t weights make econ_t_2elink" and "tensorflow" in made.card.versions


def test_a_set_is_up_to_date_until_run_or_samples_change(made: Shipped, tmp_path: Path) -> None:
    assert is_up_to_date(made.run, made.published) and is_up_to_date(made.run)
    assert not is_up_to_date(made.run, made.published, made.published), "no sparse sample on the card"
    train(CONFIG.override(training={"seed": 2}), tmp_path / "other")
    assert not is_up_to_date(Run(tmp_path / "other"))


def test_half_precision_moves_no_code_of_an_encoder_that_was_not_rounded(made: Shipped, tmp_path: Path) -> None:
    """Decoders of older runs hold their encoder before rounding: here just below the middle between two codes."""
    from training.networks.decoder import known_encoder, save_decoder

    run = Run(shutil.copytree(made.run.folder, tmp_path / "run"))
    encoder = known_encoder(run.decoder)
    assert encoder is not None
    bias = encoder.values["dense_bias"]
    middle = run.weights.values()["dense_bias"] + (0.5 / 32) * (1 - 1e-6)
    bias.assign(np.minimum(middle, 31 / 32).astype(np.float32))
    np.testing.assert_array_equal(encoder.codes().flat, run.weights.flat)
    save_decoder(run.decoder, run.config.training.decoder, run.decoder_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shipped, "FOLDER", tmp_path / "trained")
        ship(Run(run.folder))
        shipped_decoder = Run("econ_t_2elink").decoder
    inside = known_encoder(shipped_decoder)
    assert inside is not None
    np.testing.assert_array_equal(inside.codes().flat, run.weights.flat)


def test_what_saw_measured_modules_is_not_shipped(made: Shipped, tmp_path: Path) -> None:
    config = small("econ_t_3elink", epochs=1).override(data={"files": [str(made.published)]})
    train(config, tmp_path / "run")
    with pytest.raises(InputError, match=r"trained on .*published\.csv, expected generated modules alone"):
        ship(Run(tmp_path / "run"))
    assert shipped.names() == ("econ_t_2elink",)


def test_a_large_decoder_is_not_shipped(made: Shipped, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.fit.ship.MAX_DECODER_BYTES", 1000)
    before = (shipped.FOLDER / "econ_t_2elink" / "card.json").read_bytes()
    with pytest.raises(InputError, match="bytes in half precision, expected at most 1,000"):
        ship(made.run)
    assert (shipped.FOLDER / "econ_t_2elink" / "card.json").read_bytes() == before


@pytest.mark.parametrize("options", [[], ["--held-out"], ["--held-out", "--min-charge", "35"]], ids=str)
def test_evaluation_shows_the_card_and_reproduces_it(options: list[str], made: Shipped) -> None:
    done = econ("evaluate", "--weights", "econ_t_2elink", "--input", str(made.published), *options, "--check-card")
    assert done.exit_code == 0, done.output
    sample = made.card.sample("held_out" if options else "published")
    assert sample is not None
    assert f"on the card of econ_t_2elink (shipped) for {'held-out' if options else 'all'} published modules " \
           f"{sample.emd_mean:.4f}: difference +0.0000" in done.output
    assert ("emd_mean_all" in done.output.partition("on the card")[2]) == ("--min-charge" not in options)


def test_min_charge_leaves_out_modules(made: Shipped, tmp_path: Path) -> None:
    done = econ("evaluate", "--weights", "econ_t_2elink", "--input", str(made.published), "--min-charge", "100",
                "--json", str(tmp_path / "metrics.json"))
    assert done.exit_code == 0 and "on the card" not in done.output
    calq = read_calq(made.published).calq
    assert json.loads((tmp_path / "metrics.json").read_text())["n_modules"] == (calq.max(axis=1) > 100).sum() > 0


@pytest.mark.parametrize(("changes", "message"), [
    ({"emd_mean": 0.002}, "emd_mean "), ({"emd_mean": 0.0005}, None), ({"emd_mean_all": -0.002}, "emd_mean_all "),
    ({"weights": "0" * 16}, "but the card is of 0000000000000000")], ids=str)
def test_a_card_that_is_not_reproduced_ends_with_status_1(
    changes: dict[str, Any], message: str | None, made: Shipped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shipped.FOLDER, tmp_path / "trained")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "trained")
    path = tmp_path / "trained" / "econ_t_2elink" / "card.json"
    content = json.loads(path.read_text())
    for name, value in changes.items():
        if name == "weights":
            content[name] = value
        else:
            content["samples"][1][name] += value
    path.write_text(json.dumps(content))
    arguments = ["evaluate", "--weights", "econ_t_2elink", "--input", str(made.published)]
    done = econ(*arguments, "--check-card")
    assert done.exit_code == (1 if message else 0) and (message or "") in done.output
    assert econ(*arguments).exit_code == 0, "without --check-card it is shown alone"


@pytest.mark.parametrize(("arguments", "message"), [
    (["--min-charge", "50"], "--min-charge 50 with --check-card, expected at most 35"),
    (["--input", "{unknown}"], "modules that the card of econ_t_2elink (shipped) does not know"),
    (["--weights", "{run}"], "not a shipped set, which --check-card is about"),
])
def test_a_card_that_can_not_be_checked_is_an_error(
    arguments: list[str], message: str, made: Shipped, tmp_path: Path
) -> None:
    """Before anything is evaluated, of whichever sample."""
    write_calq(tmp_path / "unknown.csv", generate(20, 77))
    given = [one.format(unknown=tmp_path / "unknown.csv", run=made.run.folder) for one in arguments]
    done = econ("evaluate", "--weights", "econ_t_2elink", "--input", str(made.published), "--check-card", *given)
    assert done.exit_code == 2 and message in done.output and done.output.count("\n") == 1


def test_other_commands_take_the_name(made: Shipped, tmp_path: Path) -> None:
    rows = str(made.published)
    for arguments in (
        ["encode", "--weights", "econ_t_2elink", "--input", rows, "--output", str(tmp_path / "latent.csv")],
        ["registers", "--weights", "econ_t_2elink", "--output", str(tmp_path / "init.yaml")],
        ["report", "--run", "econ_t_2elink"],
        ["seu", "--run", "econ_t_2elink", "--input", rows, "--no-rtl", "--n-events", "20", "--n-emd", "12"],
    ):
        done = econ(*arguments)
        assert done.exit_code == 0, done.output
    assert len((tmp_path / "latent.csv").read_text().splitlines()) == 201 and (tmp_path / "init.yaml").stat().st_size
    assert Path("runs/shipped/econ_t_2elink/report.html").stat().st_size
    assert Path("runs/shipped/econ_t_2elink/seu.json").stat().st_size
    done = econ("seu", "--run", "econ_t_2elink", "--no-rtl", "--json", str(tmp_path / "seu.json"))
    assert done.exit_code == 2 and "comes without modules; name a file with --input" in done.output


def test_compare_takes_all_sets_of_its_budgets(made: Shipped, tmp_path: Path) -> None:
    arguments = ["compare", "--input", str(made.published), "--held-out", "--json", str(tmp_path / "physics.json")]
    for options in (["--run", "econ_t_2elink", "--links", "2"], ["--shipped", "--links", "2"],
                    ["--shipped", "--run", "econ_t_2elink", "--links", "2"]):
        done = econ(*arguments, *options)
        assert done.exit_code == 0, done.output
        content = json.loads((tmp_path / "physics.json").read_text())
        assert content["weights"] == {"AE econ_t_2elink (shipped)": made.card.weights} and content["n_modules"] == 50
    done = econ(*arguments, "--shipped", "--links", "3")
    assert done.exit_code == 0 and not json.loads((tmp_path / "physics.json").read_text())["weights"]
    assert econ("compare", "--held-out").exit_code == 2


def test_a_training_starts_from_a_set(made: Shipped, tmp_path: Path) -> None:
    config = CONFIG.evolve(encoder={"n_elinks": 4}, training={"stages": (), "learning_rate": 1e-9})
    summary = train(config, tmp_path, start="econ_t_2elink")
    np.testing.assert_array_equal(Run(tmp_path).weights.flat, made.run.weights.flat)
    assert train(config, tmp_path / "run", start=made.run.folder).fingerprint != summary.fingerprint, \
        "the decoder in half precision is another start"


def test_the_card_names_the_trainings_that_a_set_continues(made: Shipped, tmp_path: Path) -> None:
    train(CONFIG.evolve(encoder={"n_elinks": 4}, name="four", training={"stages": ()}), tmp_path / "four",
          start=made.run.folder)
    train(CONFIG.evolve(name="again", training={"stages": [{"start": "econ_t_2elink"}]}), tmp_path / "again")
    with pytest.MonkeyPatch.context() as patch:
        assert Run("econ_t_2elink").is_shipped
        trainings = [ship_elsewhere(tmp_path / name, tmp_path, patch).trained_on for name in ("four", "again")]
    for found, name in zip(trainings, ("four", "again"), strict=True):
        assert [one.run for one in found] == ["run", "run", name] and found[:2] == made.card.trained_on
    stages = [{"start": str(made.run.stage(1).folder)}]
    train(CONFIG.evolve(name="early", training={"stages": stages}), tmp_path / "early")
    with pytest.MonkeyPatch.context() as patch:
        early = ship_elsewhere(tmp_path / "early", tmp_path, patch)
    assert [one.run for one in early.trained_on] == ["run", "early"] and early.trained_on[0] == made.card.trained_on[0]
    measured = small("econ_t_3elink", epochs=1).override(data={"files": [str(made.published)]})
    train(measured, tmp_path / "measured")
    train(small("econ_t_3elink", epochs=1), tmp_path / "after", start=tmp_path / "measured")
    with pytest.raises(InputError, match=r"/measured: trained on .*published\.csv"):
        ship(Run(tmp_path / "after"))


def ship_elsewhere(folder: Path, target: Path, patch: pytest.MonkeyPatch) -> Card:
    """Ship a run into another package, in which the set of the first is too."""
    if not (target / "trained").exists():
        shutil.copytree(shipped.FOLDER, target / "trained")
    patch.setattr(shipped, "FOLDER", target / "trained")
    return ship(Run(folder))


def test_training_into_the_folder_of_a_set_is_refused(made: Shipped) -> None:
    with pytest.raises(InputError, match="a shipped set, which only 'econ-t weights' changes"):
        train(small(epochs=1), shipped.FOLDER / "econ_t_2elink")


def test_cards_are_shown(made: Shipped, tmp_path: Path) -> None:
    listed, shown = (CliRunner().invoke(app, ["weights", *words]) for words in (
        ["list"], ["card", "econ_t_2elink", "--json", str(tmp_path / "card.json")]))
    sample = made.card.sample("held_out")
    assert sample is not None
    mean = f"{sample.emd_mean:.3f} ± {sample.emd_error:.3f}"
    assert listed.stdout.splitlines()[-1].split()[:3] == ["econ_t_2elink", "2", "3"] and mean in listed.stdout
    assert shown.stdout == card_page(made.card) + "\n"
    lines = cards_table([made.card]).splitlines()
    assert len(lines) == 3 and lines[2].startswith("| `econ_t_2elink` | 2 | 3 |") and mean in lines[2]
    assert len({line.count("|") for line in lines}) == 1 and "| - |" in lines[2], "no sparse sample was at hand"
    assert mean in shown.stdout and made.card.fingerprint in shown.stdout
    assert Card.load(tmp_path / "card.json") == made.card
    wrong = CliRunner().invoke(app, ["weights", "card", "econ_t_5elink"])
    assert wrong.exit_code == 2 and "did you mean 'econ_t_2elink'?" in wrong.output
