"""Audit of encoders from elsewhere: trained or not, negative latents, and what the chip makes of them."""

from __future__ import annotations

import csv
import pickle
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.foreign import build, conditional_decoder, freeze
from emulator import encode
from models.calq_io import write_calq
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from training.__main__ import app
from training.production.toy import generate
from training.results.audit import Audit, Way

pytest.importorskip("tensorflow")
pytest.importorskip("qkeras")


@pytest.fixture(scope="module")
def calq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audit") / "calq.parquet"
    write_calq(path, generate(300, seed=3))
    return path


def run(file: Path, calq: Path, tmp_path: Path, *options: str) -> tuple[Any, Audit | None]:
    found = CliRunner().invoke(app, ["audit", "--encoder", str(file), "--input", str(calq), "--steps", "3", "--json",
                                     str(tmp_path / "audit.json"), *options])
    path = tmp_path / "audit.json"
    return found, Audit.load(path) if path.exists() else None


def test_signed_latents_are_counted_and_cut(calq: Path, tmp_path: Path) -> None:
    model = build(latent="quantized_bits(9,1,alpha=1)")
    model.save(tmp_path / "signed.h5")
    found, audit = run(tmp_path / "signed.h5", calq, tmp_path, "--csv", str(tmp_path / "audit.csv"))
    assert found.exit_code == 0 and audit is not None, found.output
    own, cut, chip = audit.ways
    assert [own.name, cut.name, chip.name] == ["its own arithmetic", "negatives cut", "the chip's integers"]
    assert 0.2 < own.negative < 0.8 and cut.negative == chip.negative == 0
    assert cut.zero >= own.negative and chip.zero >= 0.9 * own.negative
    assert own.entropy > cut.entropy and own.n_codes > cut.n_codes
    assert audit.untrained is None and len(audit.differences) == 1
    assert audit.verdict.startswith(f"The chip cuts {own.negative:.0%} of the latents, which are negative. The EMD is")
    assert audit.verdict in found.stdout.replace("\n", " ")
    rows = list(csv.DictReader((tmp_path / "audit.csv").read_text().splitlines()))
    assert [(row["name"], float(row["zero"])) for row in rows] == [(way.name, way.zero) for way in audit.ways]


def test_an_encoder_as_it_was_initialised_looks_untrained(calq: Path, tmp_path: Path) -> None:
    model = build()
    rng = np.random.default_rng(1)
    for variable in model.weights:
        if "bias" in variable.name:
            variable.assign(np.zeros(variable.shape))
        else:
            deviation = np.sqrt(2 / np.prod(variable.shape[:-1]))
            variable.assign(np.clip(rng.normal(0, deviation, variable.shape), -2 * deviation, 2 * deviation))
    model.save(tmp_path / "new.h5")
    _, audit = run(tmp_path / "new.h5", calq, tmp_path)
    assert audit is not None and audit.untrained is not None
    assert audit.untrained.startswith("looks untrained: all biases are 0")
    assert audit.verdict.startswith("This encoder was not trained.")


def test_codes_of_the_chip(calq: Path, tmp_path: Path) -> None:
    """Numbers of a way are those of the emulator's latents."""
    spec = EncoderSpec.chip(2)
    weights = EncoderWeights.random(spec, 5, density=0.3)
    weights.save(tmp_path / "weights.npz")
    found, audit = run(tmp_path / "weights.npz", calq, tmp_path, "--config", "econ_t_2elink")
    assert found.exit_code == 0 and audit is not None, found.output
    codes = encode(weights, generate(300, seed=3))["latent_code"]
    (way,) = audit.ways
    assert audit.verdict.startswith("The file has no arithmetic of its own to compare with the chip's. The EMD through")
    assert way.zero == pytest.approx((codes == 0).mean(), rel=1e-5)
    assert way.saturated == pytest.approx((codes == 7).mean(), rel=1e-5, abs=1e-9)
    assert way.all_zero == pytest.approx((codes == 0).all(axis=1).mean(), abs=1e-6)
    assert way.n_codes == pytest.approx(np.mean([len(np.unique(one)) for one in codes.T]), rel=1e-5)
    entropy = [-sum(p * np.log2(p) for p in np.bincount(one)[np.bincount(one) > 0] / 300) for one in codes.T]
    assert way.entropy == pytest.approx(np.mean(entropy), rel=1e-5)


def test_a_fresh_decoder_learns(tmp_path: Path) -> None:
    from training.networks.chip_encoder import chip_encoder

    calq = tmp_path / "calq.parquet"
    write_calq(calq, generate(4000, seed=3))
    chip_encoder(EncoderSpec.chip(5), 5).codes().save(tmp_path / "weights.npz")
    emds = []
    for steps in ("1", "250"):
        _, audit = run(tmp_path / "weights.npz", calq, tmp_path, "--steps", steps)
        assert audit is not None and audit.ways[0].emd is not None
        emds.append(audit.ways[0].emd)
    assert emds[1] < 0.9 * emds[0]


def test_verdicts() -> None:
    def of(own: float, chip: float) -> str:
        way = Way(name="n", negative=0, zero=0, saturated=0, all_zero=0, entropy=1, n_codes=2, emd=own)
        last = way.model_copy(update={"emd": chip})
        return Audit(file="f", data="d", n_modules=9, decoder="x", untrained=None, differences=(), notes=(),
                     ways=(way, last)).verdict

    assert of(1.0, 1.3).startswith("The chip's arithmetic loses much of what this encoder learnt. The EMD is 1.00")
    assert of(1.0, 1.1).startswith("This encoder runs on the chip as it was trained.")


@pytest.mark.parametrize(("content", "message"), [(b"no model", "encoder.h5: "), (None, "encoder.h5")])
def test_bad_files(calq: Path, tmp_path: Path, content: bytes | None, message: str) -> None:
    if content:
        (tmp_path / "encoder.h5").write_bytes(content)
    found, _ = run(tmp_path / "encoder.h5", calq, tmp_path)
    assert found.exit_code == 2
    assert message in found.output and len(found.output.strip().splitlines()) == 1


def test_too_few_modules(tmp_path: Path) -> None:
    write_calq(tmp_path / "calq.csv", generate(19, seed=3))
    EncoderWeights.random(EncoderSpec.chip(5), 5).save(tmp_path / "weights.npz")
    found, _ = run(tmp_path / "weights.npz", tmp_path / "calq.csv", tmp_path)
    assert found.exit_code == 2 and "modules with charge, expected at least 20" in found.output


@pytest.fixture(scope="module")
def decoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One decoder as Keras files, weights with JSON, and as a frozen graph for one module."""
    folder, model = tmp_path_factory.mktemp("decoders"), conditional_decoder()
    found = {kind: folder / f"decoder.{kind}" for kind in ("h5", "keras", "pb")} | {"json": folder / "of" / "d.h5"}
    found["json"].parent.mkdir()
    model.save(found["h5"])
    model.save(found["keras"])
    model.save_weights(found["json"])
    (found["json"].parent / "d.json").write_text(model.to_json())
    freeze(model, found["pb"])
    return found


PLACES = {"layer": np.arange(60) % 40 + 1, "waferu": np.arange(60) % 7 - 3, "waferv": np.arange(60) % 5,
          "eta": np.linspace(1.6, 2.9, 60), "wafertype": np.arange(60) % 3}


@pytest.mark.parametrize(("kind", "options"), [("h5", ()), ("keras", ()), ("json", ()), ("pb", ()), ("pb", ("--run",))])
def test_decoders_from_elsewhere(
    kind: str, options: tuple[str, ...], decoders: dict[str, Path], tmp_path: Path
) -> None:
    """The EMD is that of what Keras itself makes of latents and conditions."""
    from models.trigger_cells import IMAGE_TO_TC, to_trigger_cells
    from training.physics.emd import emd
    from training.physics.software import software_conditions

    calq, spec = generate(60, seed=3), EncoderSpec.chip(5)
    calq[7] = 0
    write_calq(tmp_path / "calq.parquet", calq, extra=pd.DataFrame(PLACES))
    weights = EncoderWeights.random(spec, 5, density=0.3)
    weights.save(tmp_path / "weights.npz")
    found, audit = run(tmp_path / "weights.npz", tmp_path / "calq.parquet", tmp_path, "--decoder", str(decoders[kind]),
                       *options)
    assert found.exit_code == 0 and audit is not None, found.output
    kept = np.delete(np.arange(60), 7)
    trace = encode(weights, calq[kept])
    seen = np.concatenate([spec.latent.value(trace["latent_code"]), software_conditions(
        trace["module_sum"], {name: column[kept] for name, column in PLACES.items()}, integer_division=False)], axis=1)
    image = conditional_decoder().predict(seen.astype(np.float32), verbose=0)[..., 0]
    cells = np.zeros((len(kept), 48))
    for row, column in np.ndindex(8, 8):
        if IMAGE_TO_TC[row, column] >= 0:
            cells[:, IMAGE_TO_TC[row, column]] = image[:, row, column]
    half = len(kept) // 2
    expected = np.nanmean(emd(to_trigger_cells(calq[kept])[half:], cells[half:]))
    assert audit.ways[0].emd == pytest.approx(expected, rel=1e-4)
    assert not any("sees 0" in note for note in audit.notes)


def test_conditions_that_are_missing_are_told(decoders: dict[str, Path], calq: Path, tmp_path: Path) -> None:
    EncoderWeights.random(EncoderSpec.chip(5), 5).save(tmp_path / "weights.npz")
    _, audit = run(tmp_path / "weights.npz", calq, tmp_path, "--decoder", str(decoders["h5"]))
    assert audit is not None
    assert "decoder: sees 0 as eta, waferv, waferu, wafertype, layer, which these modules do not have" in audit.notes
    assert any("taken as the cut to the first 8 rows and columns" in note for note in audit.notes)


def test_decoders_that_do_not_fit(calq: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    EncoderWeights.random(EncoderSpec.chip(5), 5).save(tmp_path / "weights.npz")
    conditional_decoder(20).save(tmp_path / "wide.h5")
    build().save(tmp_path / "encoder.h5")
    (tmp_path / "text.h5").write_text("no model")
    freeze(conditional_decoder(), tmp_path / "odd.pb", behind=lambda x: tf.cumsum(x, 1))
    for file, message in ((tmp_path / "odd.pb", "odd.pb: node Cumsum (Cumsum), expected arithmetic on constants and "
                                                "one row of latents alone; --run runs the graph"),
                          (tmp_path / "wide.h5", "wide.h5: input of 20 values, expected 16 latents or 24"),
                          (tmp_path / "encoder.h5", "encoder.h5: input of shape (8, 8, 1), expected a row of latents"),
                          (tmp_path / "text.h5", "text.h5: ")):
        found, audit = run(tmp_path / "weights.npz", calq, tmp_path, "--decoder", str(file))
        assert found.exit_code == 2 and audit is None, found.output
        assert message in found.output and len(found.output.strip().splitlines()) == 1


def test_an_encoder_in_a_pickle(calq: Path, tmp_path: Path) -> None:
    weights = EncoderWeights.random(EncoderSpec.chip(5), 5)
    (tmp_path / "weights.pkl").write_bytes(pickle.dumps({name: value for name, value in weights.values().items()}))
    weights.save(tmp_path / "weights.npz")
    (_, one), (_, other) = (run(tmp_path / name, calq, tmp_path) for name in ("weights.pkl", "weights.npz"))
    assert one is not None and other is not None and one.ways == other.ways
    assert any(note.startswith("no architecture in the file: assumed") for note in one.notes)


def test_page(calq: Path, tmp_path: Path) -> None:
    build(latent="quantized_bits(9,1,alpha=1)").save(tmp_path / "signed<b>.h5")
    found, audit = run(tmp_path / "signed<b>.h5", calq, tmp_path, "--output", str(tmp_path / "audit.html"))
    assert found.exit_code == 0 and audit is not None, found.output
    source = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert "signed&lt;b&gt;.h5" in source and "<b>" not in source
    text = unescape(source)
    shown = text[text.index('id="verdict"') : text.index("<nav>")]
    assert '<p class="bad">The chip cuts' in shown and audit.verdict in shown
    for way in audit.ways:
        assert way.name in text and f'data-value="{way.emd}"' in text
    assert audit.differences[0] in text and all(note in text for note in audit.notes)
    assert source[: source.index("<script")].count("<svg") == 1
    assert 'aria-label="Parts of the latents that are negative' in text
    found, _ = run(tmp_path / "signed<b>.h5", calq, tmp_path, "--output", str(tmp_path / "audit.txt"))
    assert found.exit_code == 2 and "audit.txt: expected a name that ends in .html" in found.output
