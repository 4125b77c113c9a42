"""Networks by name: what each is, that a saved one is the trained one, and that only the chip's goes into the chip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.runs import dataset_of
from emulator import encode
from models.calq_io import read_calq
from models.config import Config
from models.errors import InputError
from models.register_weights import load_weights
from models.trigger_cells import IMAGE_TO_TC, N_TRIGGER_CELLS, distance_matrix, to_image_order, to_trigger_cells
from models.weights import NETWORK_FILE, WEIGHTS_FILE, EncoderWeights
from training.networks.catalogue import NETWORKS, Network, arrangement, configure, find, plain_qkeras
from training.production.toy import generate

pytest.importorskip("tensorflow")

from models.result import ResultList
from training.__main__ import app
from training.fit.checkpoint import Checkpoint
from training.fit.train import train
from training.fit.trainer import Trainer
from training.networks.chip_encoder import image_codes
from training.networks.keras_encoder import NetworkEncoder, build, load, training_encoder
from training.results.encoders import TrainedNetwork
from training.results.evaluation import Evaluation

SEED_NAMES = ("8x8_c8_S2_tele", "8x8_c8_pool_tele", "8x8_c8_S2", "8x8_c8_S2_qK_RTL", "8x8_c8_S2_tele_quantized",
              "8x8_c8_S2_emd6")
OTHERS = [name for name, network in NETWORKS.items() if not network.on_chip]
ON_CHIP = [name for name, network in NETWORKS.items() if network.on_chip]
GENERATED = generate(300, seed=1)


def small(name: str, config: str = "econ_t_3elink", **training: Any) -> Config:
    """A network in a run of seconds, on the cheapest loss."""
    options = {"epochs": 1, "batch_size": 32, "learning_rate": 0.02, "loss": "telescope", "augment": {"pool": 500},
               "decoder": {"width": 24, "layers": 2}}
    chosen = configure(Config.load(REPOSITORY / "configs" / f"{config}.yaml"), name)
    return chosen.override(data={"source": "toy", "n_modules": 300}, training=options | training)


def trained(config: Config) -> Trainer:
    """After one epoch on generated modules."""
    trainer = Trainer.from_config(config, dataset_of(config, GENERATED, 256))
    next(trainer.epochs())
    return trainer


def test_names() -> None:
    assert set(SEED_NAMES) <= set(NETWORKS)
    assert {"8x8_c8_S2_qK_RTL", "8x8_c8_S2_tele_quantized", "8x8_c8_S2_quantized", "8x8_c8_S2_emd6_quantized"} == set(
        ON_CHIP)
    plain = [name for name, network in NETWORKS.items() if network.formats == "float"]
    assert len(plain) == 7 and all(NETWORKS[f"{name}_quantized"].formats == "qkeras" for name in plain)
    assert find("4x4x3_c8_tele", quantize=True)[0] == "4x4x3_c8_tele_quantized"
    for name in ON_CHIP:
        assert find(name, quantize=True) == find(name)
    with pytest.raises(InputError, match=r"unknown network '8x8_c8_S2_telle' .*; did you mean '8x8_c8_S2_tele'\?"):
        find("8x8_c8_S2_telle")


@pytest.mark.parametrize("image", ["8x8", "4x4x3", "6x6x3", "48"])
def test_every_trigger_cell_is_in_the_image(image: Any) -> None:
    cells = arrangement(image)
    found = np.bincount(cells[cells >= 0].ravel(), minlength=N_TRIGGER_CELLS)
    twice = 2 * 4 * 3 if image == "6x6x3" else 0
    assert (found >= 1).all() and found.sum() == N_TRIGGER_CELLS + twice


def test_neighbours_in_the_image_are_neighbours_on_the_wafer() -> None:
    """At most two sensor-cell pitches apart, in each channel of 4x4x3, and in 6x6x3 across the edges of rhombi too."""
    for image in ("4x4x3", "6x6x3"):
        cells, distance = arrangement(image), distance_matrix()
        size = len(cells)
        n_pairs = 0
        for here, there in ((cells[1:], cells[:-1]), (cells[:, 1:], cells[:, :-1])):
            both = (here >= 0) & (there >= 0)
            assert (distance[here[both], there[both]] < 2.001).all(), "the next nearest are 2.29 apart"
            n_pairs += both.sum()
        assert n_pairs == 3 * (24 if size == 4 else 24 + 8 + 6), "the square, what touches it, and that among itself"


@pytest.mark.parametrize("image", ["8x8", "4x4x3", "6x6x3", "48"])
def test_charge_arrives_at_its_places(image: Any) -> None:
    """A module with all its charge in one trigger cell gives an image of 1 at the places of that cell, else 0."""

    class Seen:
        trainable_weights = ()

        def __call__(self, image: Any) -> Any:
            return image

    spec = small("8x8_c8_S2").encoder
    encoder = NetworkEncoder(spec, Network(image, "telescope"), Seen())
    seen = encoder(image_codes(spec, to_image_order(np.eye(N_TRIGGER_CELLS, dtype=np.int64) * 64))).numpy()
    cell = np.arange(N_TRIGGER_CELLS).reshape(-1, *[1] * arrangement(image).ndim)
    np.testing.assert_array_equal(seen, arrangement(image) == cell)


WEIGHTS_IN = {"8x8": 3 * 3 * 8 + 8, "4x4x3": 3 * 3 * 3 * 8 + 8, "6x6x3": 3 * 3 * 3 * 8 + 8, "48": 48 * 32 + 32}


@pytest.mark.parametrize("name", NETWORKS)
def test_size(name: str) -> None:
    """The convolutions all leave 4 x 4 x 8 numbers, the dense network 32; then come 16 latents."""
    config, network = small(name), NETWORKS[name]
    expected = WEIGHTS_IN[network.image] + ((32 if network.image == "48" else 4 * 4 * 8) + 1) * 16
    model = build(config.encoder, network, seed=1)
    assert model.count_params() == network.n_parameters() == expected
    assert model.input_shape[1:] == arrangement(network.image).shape and model.output_shape == (None, 16)


@pytest.mark.parametrize("n_elinks", [1, 2, 3, 4, 5])
def test_plain_qkeras_formats(n_elinks: int) -> None:
    chip, qkeras = (Config.load(REPOSITORY / "configs" / f"{kind}_{n_elinks}elink.yaml").encoder
                    for kind in ("econ_t", "qkeras"))
    assert plain_qkeras(chip) == qkeras == plain_qkeras(qkeras)


def reference(config: Config, encoder: NetworkEncoder) -> Any:
    """The latents of `GENERATED` by NumPy out of the weights, layer after layer, in float64."""
    network, spec = encoder.network, config.encoder
    weights = [np.asarray(weight, np.float64) for weight in encoder.model.get_weights()]

    def activate(x: Any, form: Any) -> Any:
        if network.formats == "float":
            return np.maximum(x, 0)
        return np.clip(np.rint(x / form.lsb), 0, form.max_code) * form.lsb

    calq = np.concatenate([to_trigger_cells(GENERATED), np.zeros((len(GENERATED), 1), np.int64)], axis=1)
    power = 2 ** np.floor(np.log2(np.maximum(calq.sum(axis=1), 1)))
    x = np.floor(calq * 128 / power[:, None])[:, arrangement(network.image)] / 128
    if network.filters:
        kernel, bias = weights[:2]
        padding = {("same", 1): (1, 1), ("same", 2): (0, 1), ("valid", 1): (0, 0)}
        before, after = padding[network.padding, network.stride]
        x = np.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[
            :, :: network.stride, :: network.stride]
        x = activate(np.einsum("nrcxij,ijxf->nrcf", windows, kernel) + bias, spec.conv.output)
        if network.pool:
            x = x.reshape(len(x), 4, 2, 4, 2, 8).max(axis=(2, 4))
        x, weights = x.reshape(len(x), -1), weights[2:]
    for index in range(0, len(weights), 2):
        last = index == len(weights) - 2
        x = activate(x @ weights[index] + weights[index + 1], spec.dense.output if last else spec.conv.output)
    return x


@pytest.mark.parametrize("name", OTHERS)
def test_trained_saved_and_read_again(name: str, tmp_path: Path) -> None:
    """Before saving, after it, and by NumPy: the same latents, bit for bit where the network is quantised."""
    config, network = small(name), NETWORKS[name]
    trainer = trained(config)
    before = trainer.encoder(image_codes(config.encoder, GENERATED)).numpy()
    trainer.encoder.codes().save(tmp_path / NETWORK_FILE)
    after = load(tmp_path / NETWORK_FILE, config)
    module_sum, latent = after.encode(GENERATED)
    np.testing.assert_array_equal(latent, before)
    np.testing.assert_array_equal(module_sum, GENERATED.sum(axis=1))
    assert (latent > 0).any(axis=0).sum() >= 4, "an encoder that says something"
    codes = np.concatenate([weight.ravel() for weight in after.model.get_weights()]) * 32
    if network.formats == "float":
        np.testing.assert_allclose(latent, reference(config, after), rtol=1e-4, atol=1e-5)
        assert (codes != np.rint(codes)).mean() > 0.9
    else:
        np.testing.assert_array_equal(latent, reference(config, after))
        np.testing.assert_array_equal(codes, np.rint(codes))
        assert codes.min() >= -32 and codes.max() <= 31 and len(np.unique(codes)) > 10
        assert set(np.unique(latent * 16)) <= set(range(32)), "5 bits on 3 links"


@pytest.mark.parametrize("name", ON_CHIP)
def test_the_chips_networks_run_in_the_emulator(name: str, tmp_path: Path) -> None:
    for links in ("econ_t_3elink", "econ_t_5elink"):
        config = small(name, links)
        assert config.encoder.arithmetic == NETWORKS[name].formats and config.training.network is None
        trainer = trained(config)
        trainer.encoder.codes().save(tmp_path / WEIGHTS_FILE)
        weights = EncoderWeights.load(tmp_path / WEIGHTS_FILE, config.encoder)
        latent_code = encode(weights, GENERATED)["latent_code"]
        np.testing.assert_array_equal(
            trainer.encoder(image_codes(config.encoder, GENERATED)).numpy(), config.encoder.latent.value(latent_code))


def test_seed_decides_and_checkpoint_continues(tmp_path: Path) -> None:
    config = small("6x6x3_c8_tele_quantized", epochs=2)
    one, other = (training_encoder(config).model.get_weights() for _ in range(2))
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(one[0], training_encoder(config.override(training={"seed": 2})).model.get_weights()[0])
    dataset, checkpoint = dataset_of(config, GENERATED, 256), Checkpoint(tmp_path / "checkpoint.npz", "this")
    through, first, second = (Trainer.from_config(config, dataset) for _ in range(3))
    next(first.epochs())
    checkpoint.save(first)
    assert checkpoint.restore(second)
    assert list(second.epochs()) == [2] and list(through.epochs()) == [1, 2]
    for left, right in zip(second.variables, through.variables, strict=True):
        np.testing.assert_array_equal(left.numpy(), right.numpy())


def test_what_is_refused(tmp_path: Path) -> None:
    config = small("8x8_c8_pool_tele_quantized")
    train(config, tmp_path)
    for path in (tmp_path / NETWORK_FILE, tmp_path / WEIGHTS_FILE):
        with pytest.raises(InputError, match=r"network\.npz is not an encoder of the chip and cannot be loaded"):
            load_weights(path, config.encoder)
    with pytest.raises(InputError, match="starts from random weights; omit --start"):
        train(config.override(training={"epochs": 2}), tmp_path / "more", start=tmp_path)
    with pytest.raises(InputError, match=r"does not set training\.network"):
        load(tmp_path / NETWORK_FILE, small("8x8_c8_S2_qK_RTL"))
    with pytest.raises(InputError, match=r"with image 8x8, expected 4x4x3 of 4x4x3_c8_tele_quantized"):
        load(tmp_path / NETWORK_FILE, small("4x4x3_c8_tele_quantized"))
    with pytest.raises(InputError, match=r"with digest [0-9a-f]{16}, expected [0-9a-f]{16} of 8x8_c8_pool"):
        load(tmp_path / NETWORK_FILE, small("8x8_c8_pool_tele_quantized", "econ_t_2elink"))
    (tmp_path / "bad.npz").write_bytes(b"no zip")
    with pytest.raises(InputError, match="not readable as npz"):
        load(tmp_path / "bad.npz", config)
    with pytest.raises(InputError, match="configuration qkeras_3elink has qkeras formats"):
        small("8x8_c8_S2_qK_RTL", "qkeras_3elink")
    with pytest.raises(InputError, match="did you mean '8x8_c8_pool_tele'"):
        training_encoder(config.override(training={"network": "8x8_c8_pool_tel"}))
    encoder = training_encoder(config)
    encoder.trainable_weights[1].assign(np.full(8, np.nan, np.float32))
    with pytest.raises(InputError, match=r"conv/bias.* not finite"):
        encoder.codes()


def test_a_folder_holds_one_encoder(tmp_path: Path) -> None:
    for name, there, gone in (("dense_d32_tele", NETWORK_FILE, WEIGHTS_FILE),
                              ("8x8_c8_S2_qK_RTL", WEIGHTS_FILE, NETWORK_FILE)):
        train(small(name), tmp_path, retrain=True)
        assert (tmp_path / there).exists() and not (tmp_path / gone).exists()


def command(*arguments: str | Path) -> Any:
    """Run a command in this process: TensorFlow is there already."""
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_commands(tmp_path: Path) -> None:
    """Several networks in one command, each in its folder; the figures are those of `evaluate`."""
    options = ["--config", "configs/econ_t_2elink.yaml", "--models", "dense_d32_tele,8x8_c8_S2_tele", "--quantize",
               "--n-modules", "200", "--set", "data.source=toy", "--epochs", "1", "--set", "training.augment.pool=100",
               "--output", tmp_path]
    names = ["dense_d32_tele_quantized", "8x8_c8_S2_tele_quantized"]
    result = command("train", *options)
    assert result.exit_code == 0, result.stderr
    assert all(name in result.stdout.splitlines()[-2 + i] for i, name in enumerate(names)), result.stdout
    rows = ResultList[TrainedNetwork].load(tmp_path / "networks.json").rows
    assert [(row.name, row.formats, row.on_chip, row.loss, row.n_elinks) for row in rows] == [
        (names[0], "qkeras", False, "telescope", 2), (names[1], "qkeras", True, "telescope", 2)]
    for name, row, file in zip(names, rows, (NETWORK_FILE, WEIGHTS_FILE), strict=True):
        run = tmp_path / name
        assert command("evaluate", "--config", run / "config.yaml", "--weights", run / file, "--input",
                       run / "test.csv", "--json", tmp_path / "metrics.json").exit_code == 0
        found = Evaluation.load(tmp_path / "metrics.json")
        assert found.model_copy(update={"data": None}) == Evaluation.load(run / "metrics.json")
        assert (found.config, found.n_modules) == (name, 50)
        assert found.model_dump(exclude={"config", "data", "remarks", "latents"}).items() <= dict(row).items()
        assert len(read_calq(run / "test.csv").calq) == 50
    listed = command("networks", "--json", "-")
    assert listed.exit_code == 0 and [row["name"] for row in json.loads(listed.stdout)] == list(NETWORKS)


def test_latents_follow_the_links_of_the_options(tmp_path: Path) -> None:
    result = command("train", "--config", "configs/econ_t_5elink.yaml", "--set", "encoder.n_elinks=3", "--models",
                     "8x8_c8_S2_quantized,8x8_c8_pool_tele_quantized", "--n-modules", "100", "--epochs", "1", "--set",
                     "data.source=toy", "--set", "training.augment.pool=100", "--output", tmp_path)
    assert result.exit_code == 0, result.stderr
    for name in ("8x8_c8_S2_quantized", "8x8_c8_pool_tele_quantized"):
        found = Config.load(tmp_path / name / "config.yaml").encoder
        assert found == Config.load(REPOSITORY / "configs" / "qkeras_3elink.yaml").encoder


@pytest.mark.parametrize(("options", "match"), [
    (["--models", "8x8_c8_S2_tele,8x8_c8_S2_em6"],
     "unknown network '8x8_c8_S2_em6' (econ-t networks lists all); did you mean '8x8_c8_S2_emd6'?"),
    (["--quantize"], "--quantize needs --models"),
    (["--models", "8x8_c8_S2", "--start", "runs/none"], "--start runs/none and --models exclude each other"),
    (["--models", "8x8_c8_S2", "--loss", "emdd"], "training.loss"),
])
def test_bad_options_are_one_line(options: list[str], match: str, tmp_path: Path) -> None:
    result = command("train", "--output", tmp_path / "run", *options)
    assert result.exit_code == 2 and match in result.stderr and len(result.stderr.splitlines()) == 1, result.stderr
    assert not (tmp_path / "run").exists()


def test_image_of_the_chip_is_the_8x8_one() -> None:
    np.testing.assert_array_equal(arrangement("8x8")[..., 0], IMAGE_TO_TC)
