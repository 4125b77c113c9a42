"""Flips of single bits of the weights: the emulator's shortcut against plain runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.flips import N_WEIGHT_BITS, fake_decode, flipped, some_bits
from emulator import encode
from emulator.chip import EconT
from emulator.codes import FINE_SUM
from emulator.upsets import weight_flips
from models.calq_io import write_calq
from models.config import Config
from models.errors import InputError
from models.register_weights import for_encoder
from models.spec import EncoderSpec
from models.trigger_cells import to_trigger_cells
from models.weights import EncoderWeights
from training.__main__ import app
from training.figures.seu import critical_bits
from training.physics.emd import emd
from training.production.toy import generate
from training.results.upsets import BitEffects, Upsets
from training.studies.seu import (
    Bits,
    Effects,
    Receiver,
    accumulation,
    choose_events,
    frames_of,
    ranking,
    weight_upsets,
    wrong_vote,
)

SPECS = [EncoderSpec.chip(5), EncoderSpec.chip(2), Config.load(REPOSITORY / "configs" / "qkeras_5elink.yaml").encoder]


@pytest.mark.parametrize("spec", SPECS, ids=["5 links", "2 links", "qkeras"])
@pytest.mark.parametrize("density", [0.3, 1.0])
def test_shortcut_equals_a_plain_run_with_the_bit_flipped(spec: EncoderSpec, density: float) -> None:
    weights = EncoderWeights.random(spec, 5, density)
    calq = generate(40, seed=3)
    plain = encode(weights, calq)["output_code"]
    blocks = list(weight_flips(weights, calq))
    np.testing.assert_array_equal(np.sort(np.concatenate([block.bits for block in blocks])), np.arange(N_WEIGHT_BITS))
    found = {int(bit): (block, m) for block in blocks for m, bit in enumerate(block.bits)}
    for bit in some_bits(120, seed=1).tolist():
        block, m = found[bit]
        outputs = plain.copy()
        outputs[:, block.outputs] = block.output_code[m]
        expected = encode(flipped(weights, bit), calq)["output_code"]
        np.testing.assert_array_equal(outputs, expected, err_msg=f"weight bit {bit}")


def test_effects_of_weights_equal_a_plain_loop() -> None:
    spec = EncoderSpec.chip(3)
    weights = EncoderWeights.random(spec, 8, 0.3)
    calq = generate(60, seed=4)
    calq = calq[choose_events(calq, 30)]
    receiver = Receiver(weights, fake_decode, calq[:12])
    found = weight_upsets(receiver, calq)
    effects = Effects(*(np.concatenate([getattr(one.effects, name) for one in found])
                        for name in BitEffects.model_fields))
    assert [len(one.place) for one in found] == [432, 48, 12288, 96]
    plain = encode(weights, calq)

    def distances(latent: np.ndarray) -> np.ndarray:
        module_sum = FINE_SUM.decode(FINE_SUM.encode(plain["module_sum"][:12]))
        return emd(to_trigger_cells(calq[:12]), fake_decode(spec.latent.value(latent[:12]), module_sum))

    before = distances(plain["latent_code"])
    assert receiver.plain_emd() == pytest.approx(before.mean(), rel=1e-12)
    n_changed = 0
    for bit in some_bits(30, seed=2).tolist():
        latent = encode(flipped(weights, bit), calq)["latent_code"]
        difference = np.abs(latent - plain["latent_code"]).sum(axis=1)
        assert effects.latent_changed[bit] == (difference > 0).mean(), bit
        assert effects.code_difference[bit] == pytest.approx(difference.mean(), rel=1e-12), bit
        sums = FINE_SUM.encode(plain["module_sum"])
        outputs = encode(flipped(weights, bit), calq)["output_code"]
        changed = (frames_of(weights, outputs, sums) != frames_of(weights, plain["output_code"], sums)).any(axis=1)
        assert effects.frame_changed[bit] == changed.mean(), bit
        change = (distances(latent) - before).mean()
        assert effects.emd_change[bit] == pytest.approx(change, rel=1e-9, abs=1e-12), bit
        n_changed += change != 0
    assert n_changed > 20


@pytest.mark.parametrize("n_elinks", [1, 2, 3, 4, 5])
def test_frames_are_the_chips_and_read_back(n_elinks: int) -> None:
    spec = EncoderSpec.chip(n_elinks)
    weights = EncoderWeights.random(spec, 3, 0.3)
    calq = generate(40, seed=5)
    trace = encode(weights, calq)
    sum_code = FINE_SUM.encode(trace["module_sum"])
    frames = frames_of(weights, trace["output_code"], sum_code)
    registers = for_encoder(weights)
    np.testing.assert_array_equal(frames, EconT(registers).run_calq(calq).etx[:, :n_elinks])
    latent, sums = Receiver(weights, fake_decode, calq).read(frames[None])
    np.testing.assert_array_equal(latent[0], trace["latent_code"])
    np.testing.assert_array_equal(sums[0], sum_code)


def test_equal_latents_of_other_events_are_other_distances() -> None:
    calq = generate(60, seed=9)
    receiver = Receiver(EncoderWeights.random(EncoderSpec.chip(5), 1), fake_decode, calq[choose_events(calq, 8)])
    event, latent = np.tile(np.arange(8), 2), np.ones((16, 16), dtype=np.int64)
    found = receiver.emd(event, latent, np.full(16, 100))
    true = to_trigger_cells(receiver.calq[event])
    maps = fake_decode(receiver.spec.latent.value(latent), FINE_SUM.decode(np.full(16, 100)))
    np.testing.assert_array_equal(found, emd(true, maps))
    assert len(np.unique(found)) == 8


def test_sum_codes_survive_their_value() -> None:
    codes = np.arange(512)
    np.testing.assert_array_equal(FINE_SUM.encode(FINE_SUM.decode(codes)), codes)


def test_no_event_with_charge_is_an_error() -> None:
    with pytest.raises(InputError, match="3 modules: no module has a cell above 35 CALQ; expected at least one"):
        choose_events(np.full((3, 48), 35), 10)


def test_wrong_vote_is_two_or_three_copies_with_an_odd_number_of_flips() -> None:
    mean, rng = 0.7, np.random.default_rng(1)
    odd = sum(np.exp(-mean) * mean**k / np.prod(np.arange(1, k + 1.0)) for k in range(1, 40, 2))
    assert wrong_vote(mean) == pytest.approx(3 * odd**2 * (1 - odd) + odd**3, rel=1e-12)
    votes = (rng.poisson(mean, (3, 200_000)) % 2).sum(axis=0) >= 2
    assert wrong_vote(mean) == pytest.approx(votes.mean(), rel=0.02)
    assert wrong_vote(1e-9) == pytest.approx(3e-18, rel=1e-6)


def test_label_names_code_and_bit() -> None:
    bits = Bits("mask", "settings", np.arange(20) % 9).result()
    assert [bits.label(k) for k in (0, 8, 9)] == ["mask[0] bit 0", "mask[0] bit 8", "mask[1] bit 0"]
    assert Bits("sum", "pipeline", np.arange(22)).result().label(21) == "sum bit 21"


def test_ranking_and_figure_show_the_worst_bits_of_each_kind() -> None:
    rng = np.random.default_rng(2)
    sizes = {"dense_kernel": ("weights", 12288, 6), "mask": ("settings", 144, 9),
             "encoder.words": ("pipeline", 160, 32)}
    bits = [Bits(name, kind, np.arange(n) % period, Effects(*rng.random((5, n))))
            for name, (kind, n, period) in sizes.items()]
    known = bits[0].effects
    assert known is not None
    bits.append(Bits("marks", "pipeline", np.arange(2)))
    found = [one.result() for one in bits]
    ranked = ranking(found, 3)
    assert [row.kind for row in ranked] == ["weights"] * 3 + ["settings"] * 3 + ["pipeline"] * 3
    worst = int(known.emd_change.argmax())
    assert ranked[0].name == f"dense_kernel[{worst // 6}] bit {worst % 6}"
    assert ranked[0].emd_change == round(known.emd_change.max(), 6)
    assert ranked[0].sum_changed == round(known.sum_changed[worst], 6)
    figure = critical_bits(found, EncoderSpec.chip(5))
    by_place, curve, dense, _ = figure.axes
    assert [label.get_text() for label in by_place.get_yticklabels()] == ["dense_kernel (12,288)", "mask (144)",
                                                                           "words (160)"]
    np.testing.assert_allclose(curve.lines[0].get_ydata(), np.sort(known.emd_change)[::-1], atol=1e-6)
    assert dense.collections[0].get_array().shape == (16, 128)
    spec = EncoderSpec.chip(5)
    other = spec.evolve(dense={"outputs": 12})
    part = slice(12 * 128 * 6)
    found[0] = Bits("dense_kernel", "weights", bits[0].place[part], known.at(part)).result()
    smaller = critical_bits(found, other).axes[2]
    assert smaller.collections[0].get_array().shape == (12, 128)


def test_values_are_those_of_every_bit() -> None:
    with pytest.raises(ValueError, match="mask: 3 values of latent_changed, expected 2"):
        Bits("mask", "settings", np.arange(2), Effects(*np.zeros((5, 3)))).result()


def test_wrong_votes_of_a_day_are_those_of_its_periods() -> None:
    found = accumulation(12864, 12864 * 3600, (2.0, 86400.0))  # an upset per bit and second
    assert [one.wrong_votes_per_day for one in found.periods] == pytest.approx(
        [12864 * 43200 * float(wrong_vote(2.0)), 12864 * float(wrong_vote(86400.0))])


def test_command_writes_what_it_shows(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from training.networks.decoder import build_decoder, save_decoder

    config = Config.load(REPOSITORY / "configs" / "econ_t_2elink.yaml").override(
        training={"decoder": {"width": 8, "layers": 1}})
    EncoderWeights.random(config.encoder, 3, 0.3).save(tmp_path / "weights.npz")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    save_decoder(build_decoder(config.encoder, config.training.decoder, 1), config.training.decoder,
                 tmp_path / "decoder.npz")
    write_calq(tmp_path / "calq.csv", generate(60, seed=4))
    done = CliRunner().invoke(app, ["seu", "--run", str(tmp_path), "--input", str(tmp_path / "calq.csv"), "--no-rtl",
                                    "--n-events", "20", "--n-emd", "12"])
    assert done.exit_code == 0, done.output
    found = Upsets.load(tmp_path / "seu.json")
    assert (found.config, found.n_events, found.n_emd, found.redundancy) == ("econ_t_2elink", 20, 12, None)
    assert [len(one.place) for one in found.bits] == [432, 48, 12288, 96] and len(found.ranking) == 50
    assert f"EMD without flips {found.emd:.3f}" in " ".join(done.stdout.split())
    assert found.ranking[0].name in done.stdout and (tmp_path / "seu" / "critical_bits.png").stat().st_size > 10_000
