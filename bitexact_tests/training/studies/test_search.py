"""The search for encoders of the chip's size."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from bitexact_tests.samples.runs import small
from models.config import Config
from models.cost import cost
from models.errors import InputError
from models.result import ResultList
from models.spec import EncoderSpec
from training.results.encoders import SearchedEncoder
from training.results.evaluation import EmdMetrics

pytest.importorskip("tensorflow")

from training.fit.run import locked
from training.studies import search as search_module
from training.studies.search import SPACE, encoder, search


def found_by(spec: EncoderSpec) -> Iterator[tuple[dict[str, int], EncoderSpec]]:
    """All choices of the search that give an encoder, and the encoder."""
    for values in itertools.product(*SPACE.values()):
        choice = dict(zip(SPACE, values, strict=True))
        if (found := encoder(spec, **choice)) is not None:
            yield choice, found


@pytest.mark.parametrize("links", [2, 5])
def test_encoders_of_the_search_are_as_large_as_fits(links: int) -> None:
    spec = Config.load(f"econ_t_{links}elink").encoder
    every = [found for _, found in found_by(spec)]
    assert len(every) > 200
    for found in every:
        assert found.dense.outputs * found.latent_bits <= 16 * spec.latent_bits
        assert cost(found).parameter_bits <= cost(spec).parameter_bits == 12864
        filters = found.conv.filters
        assert filters == 64 or cost(found.evolve(conv={"filters": filters + 1})).parameter_bits > 12864


@pytest.mark.parametrize("links", [2, 5])
def test_encoders_of_the_search_are_those_of_their_choice(links: int) -> None:
    for choice, found in found_by(Config.load(f"econ_t_{links}elink").encoder):
        assert choice == {"kernel": found.conv.kernel, "stride": found.conv.stride, "latent_bits": found.latent_bits,
                          "weight_bits": found.dense.weight.width}


@pytest.mark.parametrize("links", [2, 5])
def test_the_choices_of_the_chip_give_its_encoder(links: int) -> None:
    spec = Config.load(f"econ_t_{links}elink").encoder
    assert encoder(spec, 3, 2, spec.latent_bits, 6) == spec


def test_a_choice_that_needs_too_many_weights_gives_none() -> None:
    """48 latents of 64 pixels."""
    assert encoder(Config.load("econ_t_5elink").encoder, 5, 1, 3, 8) is None


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Digests of the encoders that are trained; the third training is interrupted."""
    tried: list[str] = []
    really = search_module.trained

    def trained(chosen: Config, folder: Path) -> EmdMetrics:
        tried.append(chosen.encoder.digest())
        if len(tried) == 3:
            raise KeyboardInterrupt
        return really(chosen, folder)

    monkeypatch.setattr(search_module, "trained", trained)
    return tried


def config() -> Config:
    pytest.importorskip("optuna")
    return small("econ_t_2elink", epochs=1, final_fraction=0).override(data={"n_modules": 300, "source": "toy"})


def test_search_continues_where_it_was_interrupted(tmp_path: Path, tried: list[str]) -> None:
    first = search(config(), tmp_path, 2)
    assert len(first) == len(set(tried)) == 2 and tried[0] == config().encoder.digest(), "the chip's comes first"
    with pytest.raises(KeyboardInterrupt):
        search(config(), tmp_path, 3)
    second = search(config(), tmp_path, 3)
    assert tried[3] == tried[2], "what was interrupted is done again"
    assert len(second) == 3 and [row for row in second if row in first] == first
    assert [row.val_emd for row in second] == sorted(row.val_emd for row in second)
    assert second == list(ResultList[SearchedEncoder].load(tmp_path / "search.json").rows)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of one encoder."""
    folder = tmp_path_factory.mktemp("search")
    search(config(), folder, 1)
    return folder


def test_a_finished_search_trains_nothing(finished: Path, tried: list[str]) -> None:
    assert len(search(config(), finished, 1)) == 1 and not tried


def test_a_folder_in_which_another_process_searches_is_refused(finished: Path) -> None:
    with locked(finished), pytest.raises(InputError, match="locked by another process"):
        search(config(), finished, 2)


def test_a_folder_of_another_configuration_is_refused(finished: Path) -> None:
    with pytest.raises(InputError, match="a search with another configuration"):
        search(config().override(training={"epochs": 2}), finished, 2)
