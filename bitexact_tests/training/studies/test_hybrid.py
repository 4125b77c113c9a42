"""Hybrid codes: an address or a value beside the latents, in as many bits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.runs import small
from models.calq_io import write_calq
from models.config import Config
from models.errors import InputError
from models.result import ResultList
from models.weights import EncoderWeights
from training.production.toy import generate

pytest.importorskip("tensorflow")

from training.fit.run import locked
from training.fit.trainer import Trainer
from training.networks.chip_encoder import image_codes
from training.results.encoders import HybridCode
from training.studies.hybrid import Code, HybridEncoder, codes, compare, received


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


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path]:
    """A comparison of the codes on modules with all charge in one cell: configuration and folder."""
    folder = tmp_path_factory.mktemp("hybrid")
    rng = np.random.default_rng(1)
    calq = np.zeros((600, 48), np.uint32)
    calq[np.arange(600), rng.integers(48, size=600)] = rng.integers(40, 1000, 600)
    write_calq(folder / "calq.csv", calq)
    plain = {"generated": 0, "cut": 0, "mix": 0}
    config = small("econ_t_2elink", epochs=6, passes=3, final_fraction=0, augment=plain).override(
        data={"files": [str(folder / "calq.csv")]})
    compare(config, folder / "out")
    return config, folder / "out"


def rows_of(folder: Path) -> list[HybridCode]:
    return list(ResultList[HybridCode].load(folder / "hybrid.json").rows)


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(self: Trainer) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(Trainer, "fit", unexpected)


def test_address_helps_where_there_is_one_cell(finished: tuple[Config, Path]) -> None:
    rows = rows_of(finished[1])
    assert [row.bits for row in rows] == [48, 48, 48]
    assert rows[0].emd_mean and rows[1].emd_mean and rows[1].emd_mean < 0.6 * rows[0].emd_mean, rows


def test_a_finished_comparison_is_not_repeated(finished: tuple[Config, Path], no_training: None) -> None:
    config, folder = finished
    assert compare(config, folder) == rows_of(folder)
    with pytest.raises(AssertionError, match="trained again"):
        compare(config.override(training={"seed": 2}), folder)


def test_a_folder_in_which_another_process_compares_is_refused(finished: tuple[Config, Path]) -> None:
    config, folder = finished
    with locked(folder), pytest.raises(InputError, match="locked by another process"):
        compare(config, folder)


@pytest.fixture
def changed(
    finished: tuple[Config, Path], tmp_path: Path, no_training: None
) -> Callable[[object], tuple[Config, Path]]:
    """The finished comparison with another mean EMD in its file."""
    config, folder = finished

    def change(emd_mean: object) -> tuple[Config, Path]:
        copy = copytree(folder, tmp_path / "copy")
        rows = [row | {"emd_mean": emd_mean} for row in json.loads((folder / "hybrid.json").read_text())]
        (copy / "hybrid.json").write_text(json.dumps(rows))
        return config, copy

    return change


def test_an_emd_of_no_module_is_shown_as_a_dash(changed: Callable[[object], tuple[Config, Path]]) -> None:
    lines: list[str] = []
    compare(*changed(None), lines.append)
    assert lines[0] == "latents: 48 bits, mean EMD -", "no module is selected"


def test_a_wrong_type_in_the_file_is_named(changed: Callable[[object], tuple[Config, Path]]) -> None:
    with pytest.raises(InputError, match=r"hybrid\.json: 0\.emd_mean: Input should be a valid number"):
        compare(*changed("x"))
