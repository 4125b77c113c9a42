"""Distillation: what compact decoders learn from, what is kept, and what an interruption changes."""

from __future__ import annotations

import csv
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.runs import dataset_of, small
from emulator import encode
from models.compact_decoder import CompactDecoder
from models.errors import InputError
from models.hardware import Implementation
from models.trigger_cells import to_trigger_cells
from rtl.results import ConstantSynthesis
from training.__main__ import app
from training.figures.distillation import emd_against_cost
from training.production.toy import generate
from training.results.comparison import Comparison
from training.results.distillation import Distillation
from training.results.evaluation import EmdMetrics

pytest.importorskip("tensorflow")

import tensorflow as tf

from bitexact_tests.samples.decoders import sized
from training.fit.distiller import Distiller
from training.fit.run import Run
from training.fit.train import train
from training.networks.decoding import decode
from training.studies.distillation import Options, distil

TRAINING = {"epochs": 3, "patience": 3, "final_fraction": 0.3, "passes": 2}
OPTIONS = Options(macs=(300, 1000), n_hidden=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("distillation") / "run"
    train(small("econ_t_3elink"), folder)
    return Run(folder)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in (".npz", ".json")}


@pytest.fixture(scope="module")
def distilled(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distilled") / "out"
    distil(trained, trained.config.evolve(training=TRAINING), OPTIONS, output=folder)
    return folder


def test_files_and_result_agree(trained: Run, distilled: Path) -> None:
    assert set(files(distilled)) == {"compact_300.npz", "compact_1k.npz", "distillation.json"}
    result = Distillation.load(distilled / "distillation.json")
    assert [(one.name, one.budget) for one in result.points] == [("compact_300", 300), ("compact_1k", 1000)]
    assert result.encoder == trained.weights.digest() and result.teacher.metrics == _without_run(trained)
    for one in result.points:
        decoder = CompactDecoder.load(distilled / f"{one.name}.npz")
        assert (decoder.digest(), decoder.spec.macs, decoder.spec.sizes) == (one.digest, one.macs, one.sizes)
        assert decoder.encoder == result.encoder and one.macs <= one.budget
        assert one.metrics.emd_mean and one.metrics.n_modules == len(trained.test.calq)
        assert one.epochs == 3


def _without_run(run: Run) -> EmdMetrics:
    found = run.evaluate()
    return EmdMetrics(**{name: getattr(found, name) for name in EmdMetrics.model_fields})


class Killed(Exception):
    pass


def test_an_interruption_changes_nothing(trained: Run, distilled: Path, tmp_path: Path) -> None:
    config = trained.config.evolve(training=TRAINING)

    def kill_after(epoch: int) -> Any:
        def after(number: int, _values: Any) -> None:
            if number == epoch:
                raise Killed
        return lambda _name: nullcontext(after)

    for epoch in (1, 2):
        with pytest.raises(Killed):
            distil(trained, config, OPTIONS, output=tmp_path, report=kill_after(epoch), checkpoint_seconds=0)
    assert (tmp_path / "compact_300.checkpoint.npz").exists() and not (tmp_path / "compact_300.npz").exists()
    distil(trained, config, OPTIONS, output=tmp_path)
    assert files(tmp_path) == files(distilled)


def test_a_finished_decoder_is_not_trained_again_but_another_is(trained: Run, distilled: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(distilled, folder)
    config = trained.config.evolve(training=TRAINING)
    started: list[str] = []

    def report(name: str) -> Any:
        started.append(name)
        return nullcontext()

    assert distil(trained, config, OPTIONS, output=folder, report=report) == Distillation.load(
        distilled / "distillation.json")
    assert not started
    for changed, options in ((config, Options(macs=(300,), n_hidden=1, share=0.25)),
                             (config.evolve(training={"seed": 8}), Options(macs=(300,), n_hidden=1))):
        with pytest.raises(InputError, match=r"compact_300\.npz: trained with other options.*--retrain to replace it"):
            distil(trained, changed, options, output=folder, report=report)
        distil(trained, changed, options, output=folder, report=report, retrain=True)
    assert started == ["compact_300", "compact_300"]
    assert files(folder)["compact_300.npz"] != files(distilled)["compact_300.npz"]


def test_rtl_of_the_decoder_itself_becomes_part_of_the_result(trained: Run, distilled: Path, tmp_path: Path) -> None:
    folder, config = tmp_path / "copy", trained.config.evolve(training=TRAINING)
    shutil.copytree(distilled, folder)
    decoder = CompactDecoder.load(folder / "compact_300.npz")
    row = Implementation(name="one", tool="da4ml 1, estimate", lut=4321)
    for digest, expected in (("another", None), (decoder.digest(), 4321)):
        (folder / "compact_300").mkdir(exist_ok=True)
        ConstantSynthesis(digest=digest, stages=1, implementations=(row,)).save(folder / "compact_300/constant.json")
        found = distil(trained, config, OPTIONS, output=folder)
        assert [one.luts("da4ml") for one in found.points] == [expected, None]
    assert Distillation.load(folder / "distillation.json") == found
    left, right = emd_against_cost(found).axes
    teacher = found.teacher.metrics.emd_mean
    assert [line.get_xydata().tolist() for line in left.lines][1] == [[found.teacher.macs, teacher]]
    assert left.lines[0].get_xydata().tolist() == [[one.macs, one.metrics.emd_mean] for one in found.points]
    assert right.lines[0].get_xydata().tolist() == [[4321, found.points[0].metrics.emd_mean]]
    assert [text.get_text() for text in right.texts] == ["300"]
    assert len(emd_against_cost(Distillation.load(distilled / "distillation.json")).axes) == 1


def test_a_compact_teacher_is_refused_before_any_work(trained: Run, distilled: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"compact_300\.npz: a compact decoder, expected one in floating point"):
        distil(trained, trained.config, OPTIONS, teacher=distilled / "compact_300.npz", output=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_inputs_truth_and_teacher_of_a_batch_are_of_the_same_modules(trained: Run) -> None:
    calq = generate(60, 4)
    config = trained.config
    distiller = Distiller(config, trained.weights, trained.decoder, sized(3, 1000), dataset_of(config, calq, 40), 0.5)
    cells = to_trigger_cells(calq)
    fields, _, both = distiller._prepare(cells)
    coded = encode(trained.weights, calq)
    latent = trained.weights.spec.latent
    np.testing.assert_array_equal(fields.numpy()[:, :16], latent.value(coded["latent_code"]))
    np.testing.assert_array_equal(both.numpy()[:, :48], (cells / cells.sum(axis=1)[:, None]).astype(np.float32))
    np.testing.assert_array_equal(both.numpy()[:, 48:], decode(
        trained.decoder, latent.value(coded["latent_code"]), coded["module_sum"]))


def test_loss_is_0_at_the_truth_alone_and_the_teacher_has_its_share(trained: Run) -> None:
    rng = np.random.default_rng(1)
    true, taught = (rng.dirichlet(np.ones(48), 5).astype(np.float32) for _ in range(2))
    both, dataset = tf.constant(np.concatenate([true, taught], axis=1)), dataset_of(trained.config, generate(60, 4), 40)

    def losses(share: float, charge: np.ndarray, name: str = "kernel") -> np.ndarray:
        config = trained.config.evolve(training={"loss": "kernel", "final_loss": "emd"})
        distiller = Distiller(config, trained.weights, trained.decoder, sized(3, 1000), dataset, share)
        found: np.ndarray = distiller._losses[name](both, tf.constant(8 * charge)).numpy()
        return found

    far = losses(0, taught)
    assert (losses(0, true) < 1e-3).all() and (losses(1, taught) < 1e-3).all() and (far > 0.02).all()
    np.testing.assert_allclose(losses(0.25, taught), 0.75 * far, atol=1e-3)
    np.testing.assert_allclose(losses(0.25, true), 0.25 * far, atol=1e-3)
    np.testing.assert_allclose(losses(0.25, true, "emd"), 0, atol=1e-3)  # the end is the truth's alone
    np.testing.assert_allclose(losses(0, 2 * true), 0.1, atol=1e-3)  # all charges together are the module sum


def test_a_map_of_little_charge_has_no_large_gradient(trained: Run) -> None:
    """Normalised by its own charge, it would have one of any size, which once undid a training."""
    rng = np.random.default_rng(1)
    true = rng.dirichlet(np.ones(48), 5).astype(np.float32)
    both, dataset = tf.constant(np.concatenate([true, true], axis=1)), dataset_of(trained.config, generate(60, 4), 40)
    loss = Distiller(trained.config, trained.weights, trained.decoder, sized(3, 1000), dataset, 0)._losses["kernel"]
    sizes = []
    for scale in (1.0, 1e-4):
        charge = tf.constant(8 * scale * rng.dirichlet(np.ones(48), 5).astype(np.float32))
        with tf.GradientTape() as tape:
            tape.watch(charge)
            value = loss(both, charge)
        sizes.append(float(tf.reduce_max(tf.abs(tape.gradient(value, charge)))))
    assert 0 < sizes[1] < 8 * sizes[0]


def test_an_output_without_charge_is_validated_as_a_map(trained: Run) -> None:
    """Its EMD does not exist, and a mean without one would choose the wrong epoch."""
    calq = generate(60, 4)
    distiller = Distiller(trained.config, trained.weights, trained.decoder, sized(3, 1000),
                          dataset_of(trained.config, calq, 40), 0)
    for variable in distiller.student.trainable_weights:
        variable.assign(tf.zeros_like(variable))
    pred = distiller._predict(*distiller._prepare(to_trigger_cells(calq))[:2]).numpy()
    assert (pred > 0).all()


def test_commands_take_compact_decoders(trained: Run, distilled: Path, tmp_path: Path) -> None:
    decoder = str(distilled / "compact_1k.npz")
    command = ["evaluate", "--weights", str(trained.weights_file), "--input", str(trained.test_file)]
    done = CliRunner().invoke(app, [*command, "--decoder", decoder, "--json", str(tmp_path / "metrics.json")])
    assert done.exit_code == 0, done.output
    point = Distillation.load(distilled / "distillation.json").points[1]
    assert f'"emd_mean": {point.metrics.emd_mean}' in (tmp_path / "metrics.json").read_text()
    compare = ["compare", "--run", str(trained.folder), "--input", str(trained.test_file), "--links", "3"]
    done = CliRunner().invoke(app, [*compare, "--decoder", decoder, "--json", str(tmp_path / "physics.json")])
    assert done.exit_code == 0, done.output
    names = {row.name for row in Comparison.load(tmp_path / "physics.json").schemes if row.algorithm == "AE"}
    assert names == {"AE run", "AE run compact_1k"}
    CompactDecoder.random(sized(3, 1000), 1).save(tmp_path / "other.npz")
    for name in (command, compare):
        done = CliRunner().invoke(app, [*name, "--decoder", str(tmp_path / "other.npz")])
        assert done.exit_code == 2 and done.output.count("\n") == 1
        assert "other.npz: decoder of the encoder 0000000000000001" in done.output


def test_the_command_distils_and_shows(trained: Run, tmp_path: Path) -> None:
    arguments = ["distill", "--run", str(trained.folder), "--macs", "200", "--epochs", "1", "--output",
                 str(tmp_path / "out"), "--share", "0", "--hidden", "1", "--weight-bits", "5"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    (point,) = Distillation.load(tmp_path / "out" / "distillation.json").points
    assert (tmp_path / "out" / "distillation.png").stat().st_size > 10_000
    assert point.weight_bits == 5 and f"{point.val_emd:.3f}" in done.stdout and "compact_200" in done.stdout
    done = CliRunner().invoke(app, [*arguments, "--held-out"])
    assert done.exit_code == 2 and "--held-out is about the rows of --input, which is missing" in done.stderr
    # On other rows, nothing is trained again.
    done = CliRunner().invoke(app, [*arguments, "--input", str(trained.test_file), "--held-out", "--csv", "-"])
    assert done.exit_code == 0, done.output
    (again,) = Distillation.load(tmp_path / "out" / "distillation.json").points
    teacher, row = csv.DictReader(done.stdout.splitlines())
    assert (teacher["decoder"], teacher["weight_bits"], row["decoder"], row["weight_bits"]) == (
        "teacher", "", "compact_200", "5")
    assert float(row["val_emd"]) == again.val_emd and float(row["emd_mean_all"]) == again.metrics.emd_mean_all
    assert again.digest == point.digest and again.metrics.n_modules == round(len(trained.test.calq) / 4)
    done = CliRunner().invoke(app, [*arguments, "--macs", "50"])
    assert done.exit_code == 2 and "50 multiply-accumulates, expected at least 66" in done.stderr
