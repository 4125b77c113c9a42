"""Encoders that the chip does not have: hybrid codes, and the search for others of its size."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.runs import small
from models.calq_io import write_calq
from models.config import Config
from models.cost import cost
from models.errors import InputError
from models.weights import EncoderWeights
from training.__main__ import app
from training.production.toy import generate

pytest.importorskip("tensorflow")

from training.fit.run import alone
from training.networks.chip_encoder import image_codes
from training.studies import search as search_module
from training.studies.hybrid import Code, HybridEncoder, HybridTrainer, codes, compare, received
from training.studies.search import SPACE, encoder, search


@pytest.mark.parametrize(("links", "address", "value"), [
    (2, (14, 48), (13, 3, 48)), (3, (14, 76), (14, 4, 80)), (4, (15, 111), (14, 8, 112)), (5, (15, 141), (15, 3, 144))])
def test_codes_of_equal_bits(links: int, address: tuple[int, ...], value: tuple[int, ...]) -> None:
    spec = Config.load(REPOSITORY / f"configs/econ_t_{links}elink.yaml").encoder
    found = codes(spec)
    assert found["latents"] == Code(16, spec.latent_bits) and found["latents"].bits == 16 * spec.latent_bits
    with_address, with_value = found["latents and address"], found["latents, address and value"]
    assert (with_address.n_latents, with_address.bits) == address
    assert (with_value.n_latents, with_value.value_bits, with_value.bits) == value


@pytest.mark.parametrize("name", ["econ_t_2elink", "econ_t_4elink", "qkeras_5elink"])
def test_what_training_sees_is_what_the_emulator_sends(name: str) -> None:
    """Latents, address and value, also of empty modules and where several cells are the largest."""
    spec = Config.load(REPOSITORY / f"configs/{name}.yaml").encoder
    calq = generate(300, seed=3)
    calq[0] = 0
    calq[1] = 7
    calq[2, [5, 40]] = 1 << 20
    weights = EncoderWeights.random(spec, 1)
    for code in codes(spec).values():
        hybrid = HybridEncoder(spec, code, seed=1)
        hybrid.build((None, 8, 8))
        hybrid.set_codes(weights)
        module_sum, seen = received(spec, code, weights, calq)
        assert_array_equal(hybrid(image_codes(spec, calq)).numpy(), seen)
        assert_array_equal(module_sum, calq.sum(axis=1))
        if code.address:
            address = seen[:, 16:64]
            assert (address.sum(axis=1) == 1).all() and address[:2, 0].all() and address[2, 5]
            largest = (calq * address.astype(np.int64)).sum(axis=1)
            assert_array_equal(largest >> 4, calq.max(axis=1) >> 4, "up to the seven bits after the leading one")
        if code.value_bits:
            assert len(np.unique(seen[:, -1])) <= 2**code.value_bits and seen[0, -1] == 0


def test_address_helps_where_there_is_one_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    calq = np.zeros((600, 48), np.uint32)
    calq[np.arange(600), rng.integers(48, size=600)] = rng.integers(40, 1000, 600)
    write_calq(tmp_path / "calq.csv", calq)
    plain = {"generated": 0, "cut": 0, "mix": 0}
    config = small("econ_t_2elink", epochs=6, passes=3, final_fraction=0, augment=plain).override(
        data={"files": [str(tmp_path / "calq.csv")]})
    rows = compare(config, tmp_path)
    assert [row["bits"] for row in rows] == [48, 48, 48]
    assert rows[1]["emd_mean"] < 0.6 * rows[0]["emd_mean"], rows

    def unexpected(self: HybridTrainer) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(HybridTrainer, "run_epoch", unexpected)
    path = tmp_path / "hybrid.json"
    kept = path.read_text()
    assert compare(config, tmp_path) == rows == json.loads(kept)
    lines: list[str] = []
    path.write_text(json.dumps([row | {"emd_mean": None} for row in rows]))
    compare(config, tmp_path, lines.append)
    with alone(tmp_path), pytest.raises(InputError, match="locked by another process"):
        compare(config, tmp_path)
    assert lines[0] == "latents: 48 bits, mean EMD -", "no module is selected"
    path.write_text(json.dumps([row | {"emd_mean": "x"} for row in rows]))
    with pytest.raises(InputError, match=r"hybrid\.json: emd_mean: Input should be a valid number"):
        compare(config, tmp_path)
    path.write_text(kept)
    with pytest.raises(AssertionError, match="trained again"):
        compare(config.override(training={"seed": 2}), tmp_path)


@pytest.mark.parametrize("links", [2, 5])
def test_encoders_of_the_search_are_as_large_as_fits(links: int) -> None:
    spec = Config.load(REPOSITORY / f"configs/econ_t_{links}elink.yaml").encoder
    n_found = 0
    for values in itertools.product(*SPACE.values()):
        found = encoder(spec, **dict(zip(SPACE, values, strict=True)))
        if found is None:
            continue
        n_found += 1
        assert found.dense.outputs * found.latent_bits <= 16 * spec.latent_bits
        assert cost(found)["parameter_bits"] <= cost(spec)["parameter_bits"] == 12864
        more = found.model_copy(update={"conv": found.conv.model_copy(update={"filters": found.conv.filters + 1})})
        assert cost(more)["parameter_bits"] > 12864 or found.conv.filters == 64
        assert dict(zip(SPACE, values, strict=True)) == {
            "kernel": found.conv.kernel, "stride": found.conv.stride, "latent_bits": found.latent_bits,
            "weight_bits": found.dense.weight.width}
    assert n_found > 200
    assert encoder(spec, 3, 2, spec.latent_bits, 6) == spec, "the chip's choices give the chip's encoder"
    assert encoder(spec, 5, 1, 3, 8) is None or links == 2, "48 latents of 64 pixels are too many weights"


def test_search_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")
    config = small("econ_t_2elink", epochs=1, final_fraction=0).override(data={"n_modules": 300, "source": "toy"})
    tried: list[str] = []
    really = search_module.trained

    def trained(chosen: Config, folder: Path) -> dict[str, Any]:
        tried.append(chosen.encoder.digest())
        if len(tried) == 3:
            raise KeyboardInterrupt
        return really(chosen, folder)

    monkeypatch.setattr(search_module, "trained", trained)
    first = search(config, tmp_path, 2)
    assert len(first) == len(set(tried)) == 2 and tried[0] == config.encoder.digest(), "the chip's comes first"
    with pytest.raises(KeyboardInterrupt):
        search(config, tmp_path, 3)
    second = search(config, tmp_path, 3)
    assert tried[3] == tried[2], "what was interrupted is done again"
    assert len(second) == 3 and [row for row in second if row in first] == first
    assert [row["val_emd"] for row in second] == sorted(row["val_emd"] for row in second)
    assert second == json.loads((tmp_path / "search.json").read_text())
    n_tried = len(tried)
    assert search(config, tmp_path, 3) == second and len(tried) == n_tried
    with alone(tmp_path), pytest.raises(InputError, match="locked by another process"):
        search(config, tmp_path, 4)
    with pytest.raises(InputError, match="a search with another configuration"):
        search(config.override(training={"epochs": 2}), tmp_path, 4)


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")
    write_calq(tmp_path / "calq.csv", generate(200, seed=4))
    options = ["--config", str(REPOSITORY / "configs/econ_t_3elink.yaml"), "--data", str(tmp_path / "calq.csv"),
               "--epochs", "1", "--set", "training.augment.pool=100", "--set", "training.decoder.width=16"]
    for name, more in (("hybrid", []), ("search", ["--trials", "1"])):
        result = CliRunner().invoke(app, [name, *options, *more, "--output", str(tmp_path / name)])
        assert result.exit_code == 0, result.output
        rows = json.loads((tmp_path / name / f"{name}.json").read_text())
        assert all(f"{row['emd_mean']:.3f}" in result.stderr for row in rows) and rows
        broken = ["--data", str(REPOSITORY / "pyproject.toml")]
        result = CliRunner().invoke(app, [name, *options, *broken, *more, "--output", str(tmp_path / "broken")])
        assert result.exit_code == 2 and not (tmp_path / "broken").exists()
        assert len(result.stderr.splitlines()) == 1 and "pyproject.toml" in result.stderr, result.stderr
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = CliRunner().invoke(app, ["search", *options, "--output", str(tmp_path / "none")])
    assert result.exit_code == 2 and "optuna is not installed" in result.stderr and not (tmp_path / "none").exists()
