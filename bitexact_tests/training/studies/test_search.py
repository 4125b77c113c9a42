"""The search for encoders of the chip's size."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.runs import small
from models.config import Config
from models.cost import cost
from models.errors import InputError
from models.result import ResultList
from training.results.encoders import SearchedEncoder
from training.results.evaluation import EmdMetrics

pytest.importorskip("tensorflow")

from training.fit.run import locked
from training.studies import search as search_module
from training.studies.search import SPACE, encoder, search


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
        assert cost(found).parameter_bits <= cost(spec).parameter_bits == 12864
        filters = found.conv.filters
        assert filters == 64 or cost(found.evolve(conv={"filters": filters + 1})).parameter_bits > 12864
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

    def trained(chosen: Config, folder: Path) -> EmdMetrics:
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
    assert [row.val_emd for row in second] == sorted(row.val_emd for row in second)
    assert second == list(ResultList[SearchedEncoder].load(tmp_path / "search.json").rows)
    n_tried = len(tried)
    assert search(config, tmp_path, 3) == second and len(tried) == n_tried
    with locked(tmp_path), pytest.raises(InputError, match="locked by another process"):
        search(config, tmp_path, 4)
    with pytest.raises(InputError, match="a search with another configuration"):
        search(config.override(training={"epochs": 2}), tmp_path, 4)
