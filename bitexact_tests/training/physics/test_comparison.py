"""The comparison of all schemes: means, profiles, verdict, displays, and its file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitexact_tests.samples.schemes import CALQ, LINKS, scheme
from models.config import Config
from models.errors import InputError
from models.weights import EncoderWeights
from training.physics.comparison import all_schemes, compare
from training.physics.emd import emd
from training.physics.metrics import METRICS
from training.physics.sample import N_SAMPLED
from training.physics.schemes import autoencoder, threshold_sum
from training.physics.wording import difference_text, verdict_line, verdict_lines, verdict_text
from training.results.comparison import Comparison, Options


@pytest.fixture(scope="module")
def result() -> Comparison:
    layer = np.repeat([5, 7, 9, 11], 100)
    return compare(CALQ, {"layer": layer, "eta": np.linspace(-3, 3, 400), "entry": layer}, [], Options(), data="toy")


def test_means_are_those_of_the_selected_modules(result: Comparison) -> None:
    selected = CALQ.max(axis=1) > 35
    assert result.n_selected == selected.sum() and result.n_modules == 400
    received = scheme("BC", 4).run(CALQ)
    distance = emd(CALQ[selected], received.charge[selected])
    row = result.scheme("BC", 4)
    assert row.emd.mean == pytest.approx(distance.mean(), rel=1e-5)
    assert row.emd.error == pytest.approx(distance.std() / np.sqrt(selected.sum()), rel=0.25)
    assert sum(row.emd.counts) == selected.sum()
    # A frame that was cut leaves a flat map to its receiver.
    cut = threshold_sum(2, 0, 47).run(CALQ)
    filled = np.where(cut.charge.any(axis=1, keepdims=True), cut.charge, 1.0)
    row = result.scheme("TS 47", 2)
    assert row.emd.mean == pytest.approx(emd(CALQ[selected], filled[selected]).mean(), rel=1e-5)
    assert row.n_empty_output == (~cut.charge[selected].any(axis=1)).sum() > 0
    assert row.cut_rate == pytest.approx(cut.cut.mean(), rel=1e-5)
    assert all(set(row.metrics) == set(METRICS) for row in result.schemes)
    assert all(row.link_occupancy == pytest.approx(row.bits / (32 * row.n_elinks), rel=1e-5) for row in result.schemes)


def test_profiles_add_up_to_the_means(result: Comparison) -> None:
    assert [one.name for one in result.profiled] == ["occupancy", "module_sum", "layer", "eta"]
    occupancy, _, layer, _ = result.profiled
    assert layer.edges == (4.5, 6.0, 8.0, 10.0, 11.5) and layer.labels == ("5", "7", "9", "11")
    assert occupancy.labels[0] == "1" and len(occupancy.labels) == len(occupancy.n)
    for row in result.schemes:
        for one in result.profiled:
            mean = np.array(row.profile(one).mean, dtype=float)
            there = np.isfinite(mean)
            total = (mean[there] * np.array(one.n)[there]).sum() / result.n_selected
            assert total == pytest.approx(row.emd.mean, rel=1e-4)


def test_slices_are_parts_of_the_occupancy_by_module_sum(result: Comparison) -> None:
    occupancy, slices = result.profiled[0], result.sliced
    assert len(slices) == 3 and {(one.edges, one.labels) for one in slices} == {(occupancy.edges, occupancy.labels)}
    np.testing.assert_array_equal(np.sum([one.n for one in slices], axis=0), occupancy.n)
    chosen = CALQ[CALQ.max(axis=1) > 35].sum(axis=1)
    parts = [one.slice_of for one in slices if one.slice_of]
    assert [part.coordinate for part in parts] == ["module_sum"] * 3
    ends = [parts[0].low, *(part.high for part in parts)]
    assert ends == sorted(ends) and (ends[0], ends[-1]) == (chosen.min(), chosen.max())
    assert [sum(one.n) for one in slices] == np.histogram(chosen, ends)[0].tolist()


def test_verdict_names_the_least_emd(result: Comparison) -> None:
    assert result.budgets == LINKS
    for n_elinks in LINKS:
        found, rows = result.verdict(n_elinks), result.table(n_elinks)
        assert found.winner is rows[0] and found.winner.emd_mean == min(row.emd_mean for row in rows)
        assert {row.name for row in rows} == {row.name for row in result.schemes if row.n_elinks == n_elinks}
        assert [row.emd_mean for row in rows] == sorted(row.emd_mean for row in rows)
        others = found.others
        best = {row.algorithm: row for row in reversed(rows)}
        assert [found.winner, *others] == sorted(best.values(), key=lambda row: row.emd_mean), "one of each"
        for one in others:
            assert one.margin is not None and one.margin.error is not None
            assert one.margin.difference == pytest.approx(one.emd_mean - found.winner.emd_mean, abs=2e-5)
            assert one.margin.tie == (one.margin.difference < 3 * one.margin.error)
        assert all((row.margin is not None) == (row in (found.winner, *others)) for row in rows)


def with_autoencoder(result: Comparison, n_elinks: int) -> Comparison:
    """The result as if RPT of this budget were an autoencoder."""
    return result.model_copy(update={"schemes": tuple(
        one.model_copy(update={"algorithm": "AE", "name": "AE x"}) if (one.name, one.n_elinks) == ("RPT", n_elinks)
        else one for one in result.schemes)})


def test_nothing_is_said_of_budgets_without_an_autoencoder(result: Comparison) -> None:
    (line,) = verdict_lines(result)
    assert line.startswith("2, 3, 4 and 5 links: no autoencoder was compared, so there is no verdict.")
    first, last = verdict_lines(with_autoencoder(result, 4))
    assert first == verdict_text(result.verdict(4)).replace("RPT", "AE x") + "; AE x, larger by " + difference_text(
        result.scheme("RPT", 4)) + "."
    assert last.startswith("2, 3 and 5 links: no autoencoder was compared")
    assert "smallest" not in last and "--config econ_t_2elink" in last


def test_what_was_trained_here_is_named_beside_a_shipped_set_that_beats_it(result: Comparison) -> None:
    """RPT, as if it were trained here, and BC, as if it were shipped."""
    names = {"RPT": "AE mine", "BC": "AE theirs (shipped)"}
    found = result.model_copy(update={"schemes": tuple(
        one.model_copy(update={"algorithm": "AE", "name": names[one.name]}) if one.name in names else one
        for one in result.schemes)})
    verdict = found.verdict(5)
    assert verdict.encoder is found.scheme("AE theirs (shipped)", 5)
    assert verdict.own_encoder is found.scheme("AE mine", 5) and verdict.own_encoder.margin is not None
    text = verdict_text(verdict)
    assert text.count("AE theirs (shipped)") == 1
    assert text.endswith(f"; AE mine, larger by {difference_text(verdict.own_encoder)}")
    best = "shipped AE" if verdict.winner.is_shipped else verdict.winner.algorithm
    assert f"{best} on " in verdict_line(found) and "mine" not in verdict_line(found)
    alone = with_autoencoder(result, 5).verdict(5)
    assert alone.encoder is alone.own_encoder and verdict_text(alone).count("AE x") == 1


def test_every_trained_encoder_has_its_difference_to_the_best_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict still names one encoder, the better one."""
    pytest.importorskip("tensorflow")
    monkeypatch.setattr("training.physics.schemes.decode",
                        lambda decoder, latent, total: np.tile(decoder, (len(total), 1)))
    weights = EncoderWeights.random(Config.load("econ_t_3elink").encoder, 1)
    corner = np.eye(48)[0]
    encoders = [autoencoder("AE corner", weights, corner), autoencoder("AE even", weights, np.full(48, 1 / 48))]
    found = compare(CALQ, {}, encoders, Options(n_elinks=(3,)))
    even, worse = found.scheme("AE even", 3), found.scheme("AE corner", 3)
    verdict = found.verdict(3)
    assert verdict.encoder is even and worse not in verdict.others and worse in found.contenders(3)
    for one in (even, worse):
        assert one.margin is not None
        assert one.margin.difference == pytest.approx(one.emd_mean - verdict.winner.emd_mean, abs=2e-5)
    assert found.sample is not None
    receptions = {one.scheme: one for one in found.sample.receptions}
    assert {name for name, one in receptions.items() if one.latent} == {"AE even", "AE corner"} < set(receptions)
    latent = encoders[1].run(CALQ).latent
    assert latent is not None
    np.testing.assert_array_equal(receptions["AE even"].latent, latent[list(found.sample.rows)])


def test_contenders_are_the_best_of_each_algorithm_but_rpt(result: Comparison) -> None:
    for n_elinks in LINKS:
        found, verdict = result.contenders(n_elinks), result.verdict(n_elinks)
        assert found == [one for one in (verdict.winner, *verdict.others) if one.algorithm != "RPT"]


def test_displays_show_what_was_received(result: Comparison) -> None:
    schemes = {(one.name, one.n_elinks): one for one in all_schemes(Options(), CALQ, [])}
    assert {one.n_elinks for one in result.displays} == set(LINKS)
    for one in result.displays:
        np.testing.assert_array_equal(one.true, CALQ[one.row])
        assert one.subject_map.scheme == one.subject and one in result.displays_of(one.n_elinks)
        for shown in one.maps[:2]:
            expected = schemes[shown.scheme, one.n_elinks].run(CALQ).charge[one.row]
            np.testing.assert_allclose(shown.charge, expected, rtol=1e-5)


def test_sample_holds_what_was_received(result: Comparison) -> None:
    """Of the best scheme of each algorithm, RPT too."""
    sample = result.sample
    assert sample is not None
    np.testing.assert_array_equal(sample.true, CALQ[list(sample.rows)])
    assert 200 < len(sample.rows) <= N_SAMPLED and list(sample.rows) == sorted(set(sample.rows))
    above = CALQ[list(sample.rows)] > 35
    np.testing.assert_array_equal(sample.coordinates["occupancy"], above.sum(axis=1))
    np.testing.assert_array_equal(sample.coordinates["module_sum"], CALQ[list(sample.rows)].sum(axis=1))
    schemes = {(one.name, one.n_elinks): one for one in all_schemes(Options(), CALQ, [])}
    for n_elinks in LINKS:
        found = [one for one in sample.receptions if one.n_elinks == n_elinks]
        verdict = result.verdict(n_elinks)
        assert [one.scheme for one in found] == [one.name for one in (verdict.winner, *verdict.others)]
        for one in found:
            expected = schemes[one.scheme, n_elinks].run(CALQ).charge[list(sample.rows)]
            np.testing.assert_array_equal(one.charge, np.round(expected, 1))


def test_file_holds_the_result(result: Comparison, tmp_path: Path) -> None:
    result.save(tmp_path / "physics.json")
    assert Comparison.load(tmp_path / "physics.json") == result
    json.loads((tmp_path / "physics.json").read_text(), parse_constant=pytest.fail)  # NaN is not JSON


def test_numbers_have_six_digits(result: Comparison) -> None:
    values = [value for row in result.schemes for metric in row.metrics.values() for value in (metric.mean, metric.q68)]
    assert values and all(value is None or value == float(f"{value:.6g}") for value in values)


def test_repr_names_the_winners_and_the_table_has_every_scheme(result: Comparison) -> None:
    winner = result.verdict(5).winner
    assert repr(result) == "<Comparison of 307 of 400 modules: no autoencoder was compared>"
    assert repr(with_autoencoder(result, 5)) == f"<Comparison of 307 of 400 modules: {winner.name} on 5 links>"
    assert repr(winner) == (f"<SchemeResult {winner.name} on 5 links: EMD {winner.emd_mean:.3f}, "
                            f"{winner.bits:.1f} bits>")
    table = result._repr_html_()
    assert table.count("<tr>") == 1 + len(result.schemes) and f"<td>{winner.emd_mean:.3f}</td>" in table


def test_a_scheme_that_is_not_there_is_named(result: Comparison) -> None:
    with pytest.raises(KeyError, match=r"AE x: expected one of .*BC.* on 2 links"):
        result.scheme("AE x", 2)


def _scheme(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["schemes"][0]
    return found


@pytest.mark.parametrize(("change", "message"), [
    (lambda content: _scheme(content)["metrics"].pop("width"), "scheme .* on 2 links: metric width is missing"),
    (lambda content: _scheme(content)["metrics"]["emd"].update(mean=None), "schemes.0: scheme .* has no mean EMD"),
    (lambda content: _scheme(content)["metrics"]["emd"]["counts"].pop(), "schemes.0.metrics.emd.counts: .* 48 items"),
    (lambda content: _scheme(content)["profiles"].pop("eta"), "on 2 links: a profile of 8 bins vs. eta is missing"),
    (lambda content: _scheme(content)["profiles"]["layer"]["emd"]["mean"].pop(), "4 bins vs. layer is missing"),
    (lambda content: content["displays"][0].update(subject="AE x"), "displays.0: row .* has no map of AE x"),
    (lambda content: content["displays"][0]["true"].pop(), "displays.0.true: .* 48 items"),
    (lambda content: content["sample"]["rows"].pop(), "sample: true: .* modules, expected "),
    (lambda content: content["sample"]["receptions"][0]["emd"].pop(), "sample: emd of .* modules, expected "),
    (lambda content: content["coordinates"][0].pop("slice_of"), "key coordinates.0.slice_of is missing"),
])
def test_a_file_that_does_not_fit_together_is_one_line(
    result: Comparison, tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    content = json.loads(result.model_dump_json())
    change(content)
    (tmp_path / "physics.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"^{tmp_path / 'physics.json'}: .*{message}"):
        Comparison.load(tmp_path / "physics.json")


def test_no_selected_module_is_one_line() -> None:
    with pytest.raises(InputError, match=r"3 modules: no module has a cell above 35 CALQ; expected at least one"):
        compare(np.ones((3, 48), dtype=np.int64), {}, [], Options())


def test_a_coordinate_that_is_no_number_is_one_line() -> None:
    layer = np.array(["7"] * 399 + ["nine"], dtype=object)
    with pytest.raises(InputError, match=r"data row 400, column layer: 'nine', expected a number"):
        compare(CALQ, {"layer": layer}, [], Options(n_elinks=(2,)))


@pytest.mark.parametrize("n_elinks", [1, 13])
def test_any_number_of_links(n_elinks: int) -> None:
    found = compare(CALQ, {}, [], Options(n_elinks=(n_elinks,)))
    assert {row.algorithm for row in found.schemes} == {"TS", "BC", "STC", "RPT"}
    assert (found.scheme("RPT", n_elinks).emd_mean < 0.05) == (n_elinks == 13), "13 links carry every cell"
