"""The comparison of algorithms: each scheme against a direct computation, the ranking, and the published data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from emulator import fields
from emulator.algorithms.best_choice import CELLS_SENT
from emulator.algorithms.super_trigger_cell import TYPES
from emulator.codes import CHARGE, FINE_SUM
from models.calq_io import read_calq, write_calq
from models.chip import Algorithm
from models.config import Config
from models.errors import InputError
from models.trigger_cells import SUPER_CELLS, image_order
from models.weights import EncoderWeights
from training.__main__ import app
from training.fit.run import Run
from training.physics.comparison import all_schemes, compare
from training.physics.emd import emd
from training.physics.metrics import METRICS
from training.physics.schemes import STC_ORDER, Scheme, classical_schemes, fitted_threshold_sum, threshold_sum
from training.production.toy import generate
from training.results.comparison import Comparison, Options

LINKS = (2, 3, 4, 5)
CALQ = generate(400, seed=11)[:, np.argsort(image_order())].astype(np.int64)
CALQ[::7] = 0  # empty bunch crossings belong to a run


def scheme(name: str, n_elinks: int, dropped_bits: int = 0, thresholds: tuple[int, ...] = (47,)) -> Scheme:
    return next(one for one in classical_schemes(n_elinks, dropped_bits, thresholds) if one.name == name)


def coded(calq: Any) -> Any:
    """Charges as a receiver takes their 4E3M codes."""
    return CHARGE.estimate(CHARGE.encode(calq))


@pytest.mark.parametrize("n_elinks", LINKS)
def test_bc_is_the_largest_cells(n_elinks: int) -> None:
    n_sent = CELLS_SENT[n_elinks - 1]
    received = scheme("BC", n_elinks).run(CALQ)
    sent = np.sort(received.charge, axis=1)[:, ::-1][:, :n_sent]
    np.testing.assert_array_equal(sent, coded(np.sort(CALQ, axis=1)[:, ::-1][:, :n_sent]))
    row, cell = np.nonzero(received.charge)
    np.testing.assert_array_equal(received.charge[row, cell], coded(CALQ)[row, cell], "each at its own cell")
    assert (np.count_nonzero(received.charge, axis=1) <= n_sent).all()


@pytest.mark.parametrize("n_elinks", LINKS)
def test_rpt_is_the_first_cells(n_elinks: int) -> None:
    received = scheme("RPT", n_elinks).run(CALQ)
    n_sent = (32 * n_elinks - 5) // 7
    np.testing.assert_array_equal(received.charge[:, :n_sent], coded(CALQ)[:, :n_sent])
    assert not received.charge[:, n_sent:].any()
    np.testing.assert_array_equal(received.bits, 5 + 7 * n_sent)


def test_stc_groups_are_the_blocks_of_the_module() -> None:
    blocks = {frozenset(block) for block in STC_ORDER.reshape(12, 4).tolist()}
    assert blocks <= {frozenset(group) for group in SUPER_CELLS.tolist()}
    assert sorted(STC_ORDER.tolist()) == list(range(48))
    assert [sorted(third) for third in STC_ORDER.reshape(3, 16).tolist()] == np.arange(48).reshape(3, 16).tolist()


@pytest.mark.parametrize("n_elinks", LINKS)
@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_stc_is_the_sum_of_each_group(n_elinks: int, kind: Any) -> None:
    n_sent = kind.groups_sent[min(n_elinks, len(kind.groups_sent)) - 1]
    groups = CALQ[:, STC_ORDER].reshape(len(CALQ), kind.n_groups, kind.group_size)
    sums = kind.code.estimate(kind.code.encode(groups.sum(axis=2)))
    sums[:, n_sent:] = 0
    spread = scheme(f"{kind.name} spread", n_elinks).run(CALQ).charge[:, STC_ORDER].reshape(groups.shape)
    if not kind.address_bits:  # the frame decoder spreads in whole CALQ
        sums = sums // kind.group_size * kind.group_size
    np.testing.assert_allclose(spread, np.broadcast_to(sums[:, :, None] / kind.group_size, spread.shape))
    if kind.address_bits:
        at_largest = scheme(f"{kind.name} at largest", n_elinks).run(CALQ).charge[:, STC_ORDER].reshape(groups.shape)
        np.testing.assert_array_equal(at_largest.sum(axis=2), sums)
        row, group, cell = np.nonzero(at_largest)
        np.testing.assert_array_equal(groups[row, group, cell], groups.max(axis=2)[row, group])


def test_ts_with_room_is_every_cell_over_the_threshold() -> None:
    received = threshold_sum(13, 0, 47).run(CALQ)
    assert not received.cut.any()
    np.testing.assert_array_equal(received.charge, np.where(CALQ >= 47, coded(CALQ), 0))
    n_cells = (CALQ >= 47).sum(axis=1)
    expected = [16 * fields.n_words(fields.threshold_sum(int(n))) for n in n_cells]
    np.testing.assert_array_equal(received.bits, expected)


def test_ts_without_room_loses_whole_modules() -> None:
    received = threshold_sum(2, 0, 0).run(CALQ)
    assert 0.3 < received.cut.mean() < 1
    assert not received.charge[received.cut].any()
    np.testing.assert_array_equal(received.charge[~received.cut], coded(CALQ)[~received.cut])
    assert received.bits.sum() <= 64 * len(CALQ) + 16 * 48, "what the links carry, and what waits at the end"
    true_sum = CALQ.sum(axis=1)
    np.testing.assert_allclose(received.module_sum, true_sum, rtol=0.13, err_msg="the sum of all cells is always sent")


@pytest.mark.parametrize("max_cut", [0.0, 0.05])
def test_fitted_threshold_is_the_lowest(max_cut: float) -> None:
    fitted = fitted_threshold_sum(3, 0, CALQ, max_cut)
    lowest = int(fitted.registers.threshold[0])
    assert fitted.run(CALQ).cut.mean() <= max_cut < threshold_sum(3, 0, lowest - 1).run(CALQ).cut.mean()


def test_module_sums_and_bits() -> None:
    true_sum = CALQ.sum(axis=1)
    for n_elinks in LINKS:
        for one in all_schemes(Options(n_elinks=(n_elinks,)), CALQ, []):
            received = one.run(CALQ)
            assert received.charge.shape == CALQ.shape
            if one.algorithm is not Algorithm.THRESHOLD_SUM:
                assert (received.bits <= 32 * one.registers.n_elinks).all() and not received.cut.any()
            if one.algorithm in (Algorithm.THRESHOLD_SUM, Algorithm.BEST_CHOICE):
                np.testing.assert_allclose(received.module_sum, true_sum, rtol=0.13)
            else:
                assert np.isnan(received.module_sum).all()


@pytest.mark.parametrize("one", [threshold_sum(2, 0, 20), scheme("BC", 3)], ids=["TS", "BC"])
def test_chunks_change_nothing(one: Scheme) -> None:
    whole, parts = one.run(CALQ), one.run(CALQ, at_once=37)
    np.testing.assert_array_equal(whole.charge, parts.charge)
    np.testing.assert_array_equal(whole.cut, parts.cut)


def test_dropped_bits_reach_the_chip() -> None:
    np.testing.assert_array_equal(threshold_sum(13, 3, 0).run(CALQ).charge, CHARGE.estimate(CHARGE.encode(CALQ, 3), 3))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders of runs with random weights and decoders, for 5 and 2 links and in both arithmetics."""
    pytest.importorskip("tensorflow")
    import yaml

    from training.networks.decoder import build_decoder, save_decoder

    root = tmp_path_factory.mktemp("runs")
    folders = []
    for name in ("econ_t_5elink", "econ_t_2elink", "qkeras_5elink"):
        config = Config.load(REPOSITORY / "configs" / f"{name}.yaml").override(
            training={"decoder": {"width": 8, "layers": 1}})
        folder = root / name
        EncoderWeights.random(config.encoder, 3, density=0.4).save(folder / "weights.npz")
        (folder / "config.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
        options = config.training.decoder
        save_decoder(build_decoder(config.encoder, options, 1), options, Run(folder).decoder_file)
        folders.append(folder)
    return folders


def test_ae_is_encoder_and_decoder(runs: list[Path]) -> None:
    """Through registers, frames and mask comes what the encoder alone computes."""
    from emulator import encode
    from training.networks.decoder import decode
    from training.physics.schemes import load_autoencoder

    for folder in runs[:2]:
        spec = Config.load(folder / "config.yaml").encoder
        trace = encode(EncoderWeights.load(folder / "weights.npz", spec), CALQ[:, image_order()])
        received = load_autoencoder(Run(folder)).run(CALQ)
        np.testing.assert_array_equal(received.latent, trace["latent_code"])
        assert received.latent is not None and received.latent.any()
        carried = FINE_SUM.estimate(FINE_SUM.encode(trace["module_sum"]))
        np.testing.assert_array_equal(received.module_sum, carried)
        pred = decode(Run(folder).decoder, spec.latent.value(trace["latent_code"]), trace["module_sum"])
        np.testing.assert_allclose(received.charge, pred * carried[:, None], rtol=1e-4, atol=1e-3)
        np.testing.assert_array_equal(received.bits, 14 + 16 * spec.latent_bits)


def test_weights_of_plain_arithmetic_run_in_the_chips(runs: list[Path]) -> None:
    from emulator import encode
    from models.spec import EncoderSpec
    from training.physics.schemes import load_autoencoder

    one = load_autoencoder(Run(runs[2]))
    assert "run in the chip's" in one.detail
    codes = EncoderWeights.load(runs[2] / "weights.npz", Config.load(runs[2] / "config.yaml").encoder)
    on_chip = EncoderWeights.from_flat(EncoderSpec.chip(5), codes.flat)
    trace = encode(on_chip, CALQ[:, image_order()])
    np.testing.assert_array_equal(one.run(CALQ).latent, trace["latent_code"])


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


def test_file_holds_the_result(result: Comparison, tmp_path: Path) -> None:
    result.save(tmp_path / "physics.json")
    assert Comparison.load(tmp_path / "physics.json") == result
    json.loads((tmp_path / "physics.json").read_text(), parse_constant=pytest.fail)  # NaN is not JSON


def test_numbers_have_six_digits(result: Comparison) -> None:
    values = [value for row in result.schemes for metric in row.metrics.values() for value in (metric.mean, metric.q68)]
    assert values and all(value is None or value == float(f"{value:.6g}") for value in values)


def test_a_scheme_that_is_not_there_is_named(result: Comparison) -> None:
    with pytest.raises(KeyError, match=r"AE x: expected one of .*BC.* on 2 links"):
        result.scheme("AE x", 2)


def _scheme(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["schemes"][0]
    return found


@pytest.mark.parametrize(("change", "message"), [
    (lambda content: _scheme(content)["metrics"].pop("width"), "scheme .* on 2 links has no metric width"),
    (lambda content: _scheme(content)["metrics"]["emd"].update(mean=None), "schemes.0: scheme .* has no mean EMD"),
    (lambda content: _scheme(content)["metrics"]["emd"]["counts"].pop(), "schemes.0.metrics.emd.counts: .* 48 items"),
    (lambda content: _scheme(content)["profiles"].pop("eta"), "has no profile of 8 bins of every metric against eta"),
    (lambda content: _scheme(content)["profiles"]["layer"]["emd"]["mean"].pop(), "no profile of 4 bins .* layer"),
    (lambda content: content["displays"][0].update(subject="AE x"), "displays.0: row .* has no map of AE x"),
    (lambda content: content["displays"][0]["true"].pop(), "displays.0.true: .* 48 items"),
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
    with pytest.raises(InputError, match=r"3 modules, none with a cell above 35 CALQ"):
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


def test_command_writes_json_and_csv(runs: list[Path], tmp_path: Path) -> None:
    write_calq(tmp_path / "calq.csv", CALQ[:, image_order()])
    arguments = ["compare", "--input", str(tmp_path / "calq.csv"), "--links", "2", "--links", "5", "--json",
                 str(tmp_path / "physics.json"), "--nCSV", "20", "--n-modules", "300"]
    for folder in runs:
        arguments += ["--run", str(folder)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    found = Comparison.load(tmp_path / "physics.json")
    encoders = {row.name: row.n_elinks for row in found.schemes if row.algorithm == "AE"}
    assert encoders == {"AE econ_t_2elink": 2, "AE econ_t_5elink": 5, "AE qkeras_5elink": 5}
    assert found.n_modules == 300 and "5 links: " in done.output
    made_from = {f"AE {folder.name}": EncoderWeights.load(folder / "weights.npz", Config.load(
        folder / "config.yaml").encoder).digest() for folder in runs}
    assert found.weights == made_from and found.data == str(tmp_path / "calq.csv")
    for folder in runs:
        np.testing.assert_array_equal(read_calq(folder / "csv" / "input.csv").calq[:, np.argsort(image_order())],
                                      CALQ[:20])
        rows = {name: (folder / "csv" / name).read_text().splitlines() for name in ("latent.csv", "output.csv")}
        assert [len(lines) for lines in rows.values()] == [21, 21]


@pytest.mark.parametrize(("arguments", "message"), [
    (["--input", "none.csv"], "none.csv"),
    (["--run", "none"], "none"),
    (["--order", "rows", "--input", "x"], "--order rows, expected tc or image"),
])
def test_bad_arguments_are_one_line(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["compare", *arguments, "--json", "physics.json"])
    assert done.exit_code == 2 and message in done.output and done.output.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_runs_need_names_and_budgets(runs: list[Path], tmp_path: Path) -> None:
    twice = CliRunner().invoke(app, ["compare", "--run", str(runs[0]), "--run", str(runs[0])])
    assert twice.exit_code == 2 and "two runs are called econ_t_5elink" in twice.output
    other = CliRunner().invoke(app, ["compare", "--run", str(runs[0]), "--links", "3"])
    assert other.exit_code == 2 and "AE econ_t_5elink is for 5 links" in other.output


def test_codes_of_bc_cost_little_on_real_modules(shared_data: Path) -> None:
    """BC against the largest cells with their exact charges: the 4E3M code adds little, and never gains."""
    calq = read_calq(shared_data / "CALQ_output.csv").calq[:, np.argsort(image_order())].astype(np.int64)
    calq = calq[calq.max(axis=1) > 35]
    order = np.argsort(-calq, axis=1, kind="stable")
    for n_elinks in LINKS:
        largest = order[:, : CELLS_SENT[n_elinks - 1]]
        exact = np.zeros_like(calq)
        np.put_along_axis(exact, largest, np.take_along_axis(calq, largest, axis=1), axis=1)
        added = emd(calq, scheme("BC", n_elinks).run(calq).charge).mean() - emd(calq, exact).mean()
        assert 0 < added < 0.025, n_elinks
