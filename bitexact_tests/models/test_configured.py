"""The configuration of weights: as told, as it stands beside them, as they say themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from emulator.__main__ import app
from models.calq_io import write_calq
from models.config import CONFIG_FILE, Config
from models.configured import find_config, load_configured
from models.errors import InputError
from models.register_weights import for_encoder
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from training.production.toy import generate

TWO, FIVE = (Config.load(REPOSITORY / "configs" / f"econ_t_{n}elink.yaml") for n in (2, 5))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Weights for 2 links in a file of their own."""
    path = tmp_path / "of two links.npz"
    EncoderWeights.random(TWO.encoder, 1).save(path)
    return path


def test_weights_alone_say_what_they_are_for(weights: Path) -> None:
    config, codes = load_configured(weights)
    assert config == Config(name="of_two_links", encoder=TWO.encoder)
    assert codes.digest() == EncoderWeights.load(weights).digest()


def test_registers_alone_say_their_links(tmp_path: Path) -> None:
    weights = EncoderWeights.random(EncoderSpec.chip(3), 1)
    for_encoder(weights).save(str(tmp_path / "init.yaml"))
    config, codes = load_configured(tmp_path / "init.yaml")
    assert config == Config(name="init", encoder=EncoderSpec.chip(3)) and codes.digest() == weights.digest()


def test_the_configuration_beside_the_weights_is_taken(weights: Path) -> None:
    beside = TWO.override(hls={"clock_period_ns": 12.5}, data={"order": "image"})
    beside.save(weights.parent / CONFIG_FILE)
    assert load_configured(weights)[0] == beside


def test_a_configuration_that_is_given_wins(weights: Path) -> None:
    (weights.parent / CONFIG_FILE).write_text("not: ours\n")
    assert load_configured(weights, Path("econ_t_2elink"))[0] == TWO
    with pytest.raises(InputError, match=r"config\.yaml:1: unknown key 'not'"):
        find_config(weights)


@pytest.mark.parametrize("beside", [False, True])
def test_weights_of_another_configuration_are_refused_in_words(weights: Path, beside: bool) -> None:
    if beside:
        FIVE.save(weights.parent / CONFIG_FILE)
    words = (rf"weights are for 2 links, not 5 \(spec {TWO.encoder.digest()}, expected {FIVE.encoder.digest()}\)")
    with pytest.raises(InputError, match=words):
        load_configured(weights, None if beside else Path("econ_t_5elink"))


def test_a_command_needs_no_configuration(weights: Path) -> None:
    """The same latents with --config and without it; another one in one line."""
    folder = weights.parent
    write_calq(folder / "calq.csv", generate(20, 1))
    command = ["encode", "--weights", str(weights), "--input", str(folder / "calq.csv"), "--output"]
    for name, options in (("with", ["--config", "econ_t_2elink"]), ("without", [])):
        assert CliRunner().invoke(app, [*command, str(folder / name), *options]).exit_code == 0
    assert (folder / "with").read_bytes() == (folder / "without").read_bytes()
    refused = CliRunner().invoke(app, [*command, str(folder / "none"), "--config", "econ_t_5elink"])
    assert refused.exit_code == 2 and "weights are for 2 links, not 5" in refused.stderr
    assert not (folder / "none").exists()
