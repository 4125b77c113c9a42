"""Maps of latents: principal components, thirds of conditions, and UMAP where it is installed."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emulator import encode
from models.calq_io import CalqTable
from models.errors import ToolMissing
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from training.figures.latent_maps import histograms_by_condition, latent_plane
from training.figures.style import as_svg, style
from training.physics import latent_maps as module
from training.physics.latent_maps import latent_maps, principal_components
from training.production.toy import generate
from training.report.latents_section import latents_section
from training.results.latent_maps import LatentMaps

N = 300
WEIGHTS = EncoderWeights.random(EncoderSpec.chip(3), 1, density=0.4)


def modules(**columns: Any) -> CalqTable:
    calq = generate(N, seed=4)
    calq[5] = 0
    return CalqTable(calq, pd.DataFrame(columns, index=range(N)), "a test")


@pytest.fixture(scope="module")
def maps() -> LatentMaps:
    found = latent_maps(WEIGHTS, modules(layer=np.arange(N) % 10 + 1, eta=np.linspace(-3, -1.5, N),
                                         energy=np.arange(N) / 10))
    assert found is not None
    return found


def test_components_are_those_of_the_covariance() -> None:
    codes = np.random.default_rng(1).integers(0, 512, (500, 6)) @ np.diag([5, 1, 3, 1, 1, 0])
    place, parts = principal_components(codes)
    values, vectors = np.linalg.eigh(np.cov(codes.T))
    np.testing.assert_allclose(parts, values[::-1] / values.sum(), atol=1e-12)
    expected = (codes - codes.mean(axis=0)) @ vectors[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(place), np.abs(expected), atol=1e-8)
    assert principal_components(np.ones((20, 4), int))[1].sum() == 0


def test_conditions_are_those_of_the_modules(maps: LatentMaps) -> None:
    """An empty module is left out, and none after it moves."""
    kept = np.delete(np.arange(N), 5)
    by_name = {one.name: one for one in maps.conditions}
    assert list(by_name) == ["layer", "eta", "sum", "energy"] and not maps.missing and maps.n_modules == N - 1
    np.testing.assert_array_equal(by_name["layer"].values, (np.arange(N) % 10 + 1)[kept])
    np.testing.assert_allclose(by_name["eta"].values, -np.linspace(-3, -1.5, N)[kept], rtol=1e-5)
    np.testing.assert_array_equal(by_name["sum"].values, generate(N, seed=4)[kept].sum(axis=1))
    assert by_name["energy"].values[0] == 0.1, "0 has no logarithm"
    codes = encode(WEIGHTS, generate(N, seed=4)[kept])["latent_code"]
    np.testing.assert_allclose(maps.pca, principal_components(codes)[0], rtol=1e-4, atol=1e-4)


def test_thirds_have_the_codes_of_their_modules(maps: LatentMaps) -> None:
    kept = np.delete(np.arange(N), 5)
    codes, layer = encode(WEIGHTS, generate(N, seed=4)[kept])["latent_code"], (kept % 10) + 1
    groups = maps.conditions[0].groups
    assert [group.label for group in groups] == ["1 to 4", "5 to 7", "8 to 10"]
    for group, low, high in zip(groups, (1, 5, 8), (4, 7, 10), strict=True):
        here = (layer >= low) & (layer <= high)
        assert group.n_modules == here.sum()
        np.testing.assert_array_equal(group.counts, [np.bincount(one, minlength=32) for one in codes[here].T])


def test_bins_span_the_format() -> None:
    """Nine bits in 32 bins of 16 codes; equal values are one group."""
    weights = EncoderWeights.random(EncoderSpec.chip(5), 1, density=0.4)
    found = latent_maps(weights, modules(layer=7))
    assert found is not None
    (group,) = found.conditions[0].groups
    codes = encode(weights, np.delete(generate(N, seed=4), 5, axis=0))["latent_code"]
    np.testing.assert_array_equal(group.counts[3], np.histogram(codes[:, 3], 32, (0, 512))[0])
    assert group.label == "7" and found.missing == ("eta",)


def test_many_modules_are_thinned_out_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MODULES", 100)
    found = latent_maps(WEIGHTS, modules(layer=np.arange(N)))
    assert found is not None and found.n_modules == 100
    np.testing.assert_array_equal(found.conditions[0].values, np.delete(np.arange(N), 5)[::3])
    assert latent_maps(WEIGHTS, modules().rows(slice(0, 9))) is None


def test_umap_only_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    message = r"^a map of latents by UMAP needs the package umap-learn: pip install '\.\[umap\]'$"
    with pytest.raises(ToolMissing, match=message):
        latent_maps(WEIGHTS, modules(), umap=True)
    assert latent_maps(WEIGHTS, modules()) is not None
    stand_in = ModuleType("umap")
    stand_in.UMAP = lambda **_: type("U", (), {"fit_transform": lambda _, codes: codes[:, :2]})()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "umap", stand_in)
    found = latent_maps(WEIGHTS, modules(), umap=True)
    assert found is not None and found.umap is not None and found.umap[0] != found.pca[0]
    assert [plot.name for plot in latents_section(found).plots] == ["latents_pca", "latents_umap"]


def test_umap_itself_tells_apart_what_lies_apart() -> None:
    """Two kinds of modules, one with charge in a single cell."""
    pytest.importorskip("umap")
    calq = generate(N, seed=4)
    calq[::2] = 0
    calq[::2, 7] = 100 + np.arange(N // 2)
    found = latent_maps(WEIGHTS, CalqTable(calq, pd.DataFrame(index=range(N)), "a test"), umap=True)
    assert found is not None and found.umap is not None and found.n_modules == N
    place = np.asarray(found.umap)
    distance = np.linalg.norm(place[:, None] - place[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    same = np.arange(N) % 2 == np.argmin(distance, axis=1) % 2
    assert np.ptp(place) > 0 and same.mean() > 0.9


def test_section_says_what_is_shown(maps: LatentMaps) -> None:
    with style("page"):
        section = latents_section(maps)
    assert "Codes sent of 299 modules with charge of a test." in section.text
    assert [child.title for child in section.children] == [
        "Latents by layer", "Latents by |eta|", "Latents by module sum [CALQ]", "Latents by energy [GeV]"]
    parts = np.cumsum(maps.components)
    assert f"the first {np.argmax(parts >= 0.9) + 1} have 90% of it" in section.text


def test_pictures_have_titles_units_and_legible_text(maps: LatentMaps) -> None:
    with style("page"):
        plane = as_svg(latent_plane(maps, maps.pca, ("1st component", "2nd component")), "a plane")
        bins = as_svg(histograms_by_condition(maps, maps.conditions[2]), "histograms")
    assert plane.startswith('<svg role="img" aria-label="a plane"')
    for text in ("1st component", "2nd component", "mean layer", "mean |eta|", "mean module sum [CALQ]",
                 "mean energy [GeV]"):
        assert f">{text}<" in plane
    for text in ("module sum [CALQ]", "code sent", "fraction of the modules", "latent 15"):
        assert f">{text}<" in bins
    for svg in (plane, bins):
        sizes = [float(size) for size in re.findall(r'<text style="font-size: ([\d.]+)px', svg)]
        assert sizes and min(sizes) >= 9
