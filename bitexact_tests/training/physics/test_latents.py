"""Statistics of latents: known codes, and the emulator's own stages."""

from __future__ import annotations

import numpy as np
import pytest

from emulator import encode
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from training.physics import latents
from training.physics.latents import latent_statistics
from training.production.toy import generate


def test_statistics_of_known_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = EncoderSpec.chip(2)
    codes = np.zeros((8, 16), dtype=np.int64)
    codes[:, 0] = [0, 0, 0, 0, 1, 1, 6, 7]
    codes[:, 1] = 7
    hidden = np.zeros((8, 128), dtype=np.int64)
    hidden[:2, :32] = spec.conv.output.max_code
    monkeypatch.setattr(latents, "encode", lambda *_, **__: {"latent_code": codes, "hidden_code": hidden})
    found = latent_statistics(EncoderWeights.constant(spec, 0), np.zeros((8, 48), int))
    assert found is not None
    one, full, *others = found.latents
    assert (one.least, one.largest, one.n_codes, one.at_zero, one.at_end) == (0, 7, 4, 0.5, 0.125)
    assert one.entropy == 1.75 and one.counts == (4, 2, 0, 0, 0, 0, 1, 1)
    assert (full.entropy, full.at_end, full.n_codes) == (0.0, 1.0, 1)
    assert all(other.entropy == 0 and other.at_zero == 1 for other in others)
    assert found.entropy == 1.75 and found.hidden_saturated == 64 / 1024 and found.hidden_zero == 960 / 1024
    assert str(found).startswith("1.8 bits of entropy in 48 bits sent, over 8 modules; 15 of 16 latents never change;")


def test_codes_are_those_of_the_emulator() -> None:
    spec = EncoderSpec.chip(5)
    weights, calq = EncoderWeights.random(spec, 2, density=0.4), generate(300, 3)
    found, trace = latent_statistics(weights, calq), encode(weights, calq)
    assert found is not None and found.n_modules == 300
    for one, codes in zip(found.latents, trace["latent_code"].T, strict=True):
        assert (one.least, one.largest, one.n_codes) == (codes.min(), codes.max(), len(np.unique(codes)))
        assert one.counts == tuple(np.histogram(codes, 32, (0, 512))[0].tolist())
    assert found.hidden_zero == pytest.approx((trace["hidden_code"] == 0).mean(), rel=1e-5)
    assert latent_statistics(weights, calq[:0]) is None
