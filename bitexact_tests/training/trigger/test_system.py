"""Systems as YAML: what they say of every module, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from models.errors import InputError
from models.yaml_file import read_yaml
from training.production.allocation import signal_links
from training.production.geometry import modules
from training.trigger.system import SYSTEMS, ClusterSettings, Links, Rule, System

GOOD = "name: a\nrules:\n  - {algorithm: BC}\n"


@pytest.mark.parametrize("path", sorted(SYSTEMS.glob("*.yaml")), ids=lambda path: path.stem)
def test_systems_of_the_project(path: Path) -> None:
    system = System.load(path.stem)
    assert system.where == str(path)
    chosen = system.rules_of_modules(system.links.of_modules())
    assert (chosen >= 0).all()


def test_published_settings_stand_in_a_file() -> None:
    """All of them, with their source, and equal to the defaults."""
    text = (SYSTEMS / "mixed.yaml").read_text()
    written, _ = read_yaml(SYSTEMS / "mixed.yaml")
    assert set(written["clusters"]) == set(ClusterSettings.model_fields) and "hgcalBackEndLayer2Producer" in text
    assert System.load("mixed").clusters == ClusterSettings()
    assert written["layer_weights"] == System.model_fields["layer_weights"].default


def test_names_are_different() -> None:
    names = [System.load(path).name for path in SYSTEMS.glob("*.yaml")]
    assert len(set(names)) == len(names) >= 6


def test_links_by_layer_and_more_of_them() -> None:
    assert_array_equal(Links().of_modules(), signal_links(modules().layer))
    assert_array_equal(Links(add=1).of_modules(), signal_links(modules().layer) + 1)
    assert_array_equal(Links(add=-3).of_modules(), np.maximum(signal_links(modules().layer) - 3, 1))
    assert set(Links(add=13).of_modules()) == {13}


def test_links_from_a_list(tmp_path: Path) -> None:
    here = modules()
    rows = np.arange(0, len(here.layer), 50)
    lines = [f"{here.layer[i]},{here.u[i]},{here.v[i]},{k % 5}" for k, i in enumerate(rows)]
    (tmp_path / "list.csv").write_text("Layer,ModU,ModV,ECONT_eTX\n" + "\n".join(lines) + "\n")
    found = Links(allocation=str(tmp_path / "list.csv")).of_modules()
    expected = np.full(len(here.layer), 2)
    expected[rows] = np.where(np.arange(len(rows)) % 5 == 0, 2, np.arange(len(rows)) % 5)
    assert_array_equal(found, expected)
    n_there = (np.arange(len(rows)) % 5 > 0).sum()
    assert Links(allocation=str(tmp_path / "list.csv")).n_absent() == len(expected) - n_there
    assert Links().n_absent() == 0


def test_a_list_of_another_detector(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("Layer,ModU,ModV,ECONT_eTX\n1,100,100,3\n")
    with pytest.raises(InputError, match=r"allocation: .*list.csv: no module of this detector has a link there"):
        Links(allocation=str(tmp_path / "list.csv")).of_modules()


def test_more_links_for_all() -> None:
    system = System.load("bc")
    assert [system.with_links(None, add).name for add in (0, 1, -1)] == ["BC", "BC, 1 more", "BC, 1 fewer"]
    assert_array_equal(system.with_links(None, 1).links.of_modules(), system.links.of_modules() + 1)
    assert system.with_links("a.csv", 0).links.allocation == "a.csv"
    assert system.with_links(None, 2).where == system.where
    assert_array_equal(system.with_links(None, 9).with_links(None, 9).links.of_modules(), 13)


@pytest.mark.parametrize("name", ["ae", "ae_compact"])
@pytest.mark.parametrize(("n_links", "of"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 5), (13, 5)])
def test_autoencoder_of_every_number_of_links(name: str, n_links: int, of: int) -> None:
    """The set for this many links, the largest from five on."""
    system = System.load(name)
    (index,) = np.unique(system.rules_of_modules(np.full(len(modules().layer), n_links)))
    rule = system.rules[index]
    assert rule.algorithm == "AE" and rule.run_of(n_links) == f"econ_t_{of}elink"
    assert rule.decoder_of(n_links).is_file() and rule.decoder_of(n_links).parent.name == rule.run_of(n_links)


def test_decoder_by_number_of_links() -> None:
    rule = Rule(algorithm="AE", weights="runs/{links}", decoder="compact_3k.npz")
    assert rule.decoder_of(9) == Path("runs/5/compact_3k.npz")
    assert rule.model_copy(update={"decoder": "other/{links}.npz"}).decoder_of(3) == Path("other/3.npz")
    assert rule.model_copy(update={"decoder": None}).decoder_of(3) == Path("runs/3/decoder.npz")


def test_digest_is_of_every_setting(tmp_path: Path) -> None:
    digests = set()
    for number, more in enumerate(("", "links: {add: 1}\n", "clusters: {seed_threshold: 8.5}\n")):
        path = tmp_path / f"{number}.yaml"
        path.write_text(GOOD + more)
        digests.add(System.load(path).digest())
    assert len(digests) == 3


@pytest.mark.parametrize(("text", "message"), [
    ("rules: []\n", "key 'name' is missing"),
    (GOOD.replace("BC", "BX"), r":3: rules\.0\.algorithm: Input should be 'AE', 'BC', 'STC', 'TS', 'RPT' or 'all' "
                               r"\(given: 'BX'\)"),
    (GOOD.replace("BC}", "BC, link: [2]}"), ":3: unknown key 'link'; did you mean 'links'"),
    (GOOD.replace("BC}", "AE}"), ":3: rules.0: weights are for AE, which needs them"),
    (GOOD.replace("BC}", "BC, weights: x}"), ":3: rules.0: weights are for AE"),
    (GOOD.replace("BC}", "BC, least_sum: 3}"), ":3: rules.0: decoder and least_sum are for AE"),
    (GOOD.replace("BC}", "BC, links: [14]}"), r":3: rules\.0\.links\.0: Input should be less than or equal to 13"),
    (GOOD + "clusters: {n_rz: 40}\n", "clusters: phi_windows: expected 40 odd numbers"),
    (GOOD + "clusters: {radii: [1.0]}\n", "clusters: radii: expected 50 numbers"),
    (GOOD + "clusters: {rz_range: [0.58, 0.076]}\n", r":4: clusters: rz_range: 0.58 to 0.076; expected the smallest"),
    (GOOD + "clusters: {seed_threshold: .nan}\n", r":4: clusters.seed_threshold: Input should be .* \(given: nan\)"),
    (GOOD + "clusters: {seed_threshold: 0}\n", r":4: clusters.seed_threshold: Input should be greater than 0"),
    (GOOD + "clusters: {least_pt: -1}\n", r":4: clusters.least_pt: .* greater than or equal to 0 \(given: -1\)"),
    (GOOD + "clusters: {n_phi: 1000000}\n", r":4: clusters.n_phi: Input should be less than or equal to 1000"),
    (GOOD + "clusters: {n_rz: 3, n_phi: 13, phi_windows: [15, 3, 3]}\n", "phi_windows: 15; expected at most the 13"),
    (GOOD.replace("BC}", "BC, layers: [28, 1]}"), ":3: rules.0: layers: 28 to 1; expected the first and"),
    (GOOD.replace("BC}", "BC, links: []}"), ":3: rules.0.links: Tuple should have at least 1 item"),
    (GOOD.replace("BC}", "BC, threshold: 20}"), ":3: rules.0: threshold is for TS"),
    (GOOD.replace("BC}", "TS, stc_type: 1}"), ":3: rules.0: stc_type is for STC"),
    (GOOD.replace("BC}", "AE, weights: x, spread: true}"), ":3: rules.0: spread is for STC"),
    (GOOD.replace("name: a", "name: ''"), ":1: name: String should have at least 1 character"),
    (GOOD + "clusters: {seed_threshold: yes}\n", r":4: clusters.seed_threshold: Input should be a valid number"),
    (GOOD + "clusters: {least_pt: '1'}\n", r":4: clusters.least_pt: Input should be a valid number \(given: '1'\)"),
    (GOOD + "links: {add: yes}\n", r":4: links.add: Input should be a valid integer \(given: True\)"),
    (GOOD.replace("BC}", "BC, links: [yes]}"), r":3: rules\.0\.links\.0: Input should be a valid integer"),
    (GOOD + "layer_weights: dedx\n", r":4: layer_weights: Input should be 'fitted' or 'dE/dx' \(given: 'dedx'\)"),
    (GOOD + "cluster: {}\n", ":4: unknown key 'cluster'; did you mean 'clusters'"),
])
def test_what_is_wrong_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "system.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        System.load(path)
    assert str(caught.value).startswith(str(path))


def test_unknown_name() -> None:
    with pytest.raises(InputError, match=r"mixd: no such file and no system .*; did you mean 'mixed'"):
        System.load("mixd")
