"""The chip's algorithms as schemes: what is received of each module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitexact_tests.samples.schemes import CALQ, LINKS, scheme
from emulator import fields
from emulator.algorithms.best_choice import CELLS_SENT
from emulator.algorithms.super_trigger_cell import TYPES
from emulator.codes import CHARGE, FINE_SUM
from models.calq_io import read_calq
from models.chip import Algorithm
from models.config import Config
from models.trigger_cells import SUPER_CELLS, image_order
from models.weights import EncoderWeights
from training.fit.run import Run
from training.physics.comparison import all_schemes
from training.physics.emd import emd
from training.physics.schemes import STC_ORDER, Scheme, fitted_threshold_sum, threshold_sum
from training.results.comparison import Options


def coded(calq: Any) -> Any:
    """Charges as a receiver takes their 4E3M codes."""
    return CHARGE.estimate(CHARGE.encode(calq))


@pytest.mark.parametrize("n_elinks", [1, *LINKS])
def test_bc_is_the_largest_cells(n_elinks: int) -> None:
    n_sent = CELLS_SENT[n_elinks - 1]
    received = scheme("BC", n_elinks).run(CALQ)
    sent = np.sort(received.charge, axis=1)[:, ::-1][:, :n_sent]
    np.testing.assert_array_equal(sent, coded(np.sort(CALQ, axis=1)[:, ::-1][:, :n_sent]))
    row, cell = np.nonzero(received.charge)
    np.testing.assert_array_equal(received.charge[row, cell], coded(CALQ)[row, cell], "each at its own cell")
    assert (np.count_nonzero(received.charge, axis=1) <= n_sent).all()


@pytest.mark.parametrize("n_elinks", [1, *LINKS])
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


@pytest.mark.parametrize("n_elinks", [1, *LINKS])
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


def test_ae_is_encoder_and_decoder(random_runs: list[Path]) -> None:
    """Through registers, frames and mask comes what the encoder alone computes."""
    from emulator import encode
    from training.networks.decoding import decode
    from training.physics.schemes import load_autoencoder

    for folder in random_runs[:2]:
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


def test_weights_of_plain_arithmetic_run_in_the_chips(random_runs: list[Path]) -> None:
    from emulator import encode
    from models.spec import EncoderSpec
    from training.physics.schemes import load_autoencoder

    one = load_autoencoder(Run(random_runs[2]))
    assert "run in the chip's" in one.detail
    codes = EncoderWeights.load(random_runs[2] / "weights.npz", Config.load(random_runs[2] / "config.yaml").encoder)
    on_chip = EncoderWeights.from_flat(EncoderSpec.chip(5), codes.flat)
    trace = encode(on_chip, CALQ[:, image_order()])
    np.testing.assert_array_equal(one.run(CALQ).latent, trace["latent_code"])


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
