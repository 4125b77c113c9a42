"""The comparison itself: a single flipped bit in any stage is found and named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.__main__ import app
from bitexact_tests.comparison import bit_comparison, compare_stages
from bitexact_tests.conftest import REPOSITORY
from emulator import STAGES, encode
from models.bit_comparison import BackendComparison, BitComparison, StageComparison
from models.calq_io import write_calq
from models.config import Config
from models.weights import EncoderWeights

SPEC = Config.load(REPOSITORY / "configs" / "econ_t_3elink.yaml").encoder
CALQ = np.random.default_rng(5).integers(0, 200, (40, 48)).astype(np.uint32)
TRACE = encode(EncoderWeights.random(SPEC, 5, density=0.3), CALQ)


def test_equal_traces() -> None:
    result = compare_stages(SPEC, CALQ, TRACE, dict(TRACE))
    assert result.equal and [row.stage for row in result.stages] == list(STAGES)
    assert all(row.n_mismatches == 0 and row.n_values == TRACE[row.stage].size for row in result.stages)


@pytest.mark.parametrize("stage", STAGES)
def test_one_flipped_bit_is_found(stage: str) -> None:
    changed = TRACE[stage].copy()
    place = tuple(np.array(changed.shape) - 1)
    changed[place] ^= 1
    result = compare_stages(SPEC, CALQ, TRACE, dict(TRACE) | {stage: changed})
    assert not result.equal and result.first is not None
    assert (result.first.stage, result.first.event, result.first.index) == (stage, 39, place[1:])
    assert result.first.expected ^ result.first.found == 1
    assert str(result.first.calq[0]) in str(result.first) and stage in str(result.first)
    assert [row.n_mismatches for row in result.stages] == [int(name == stage) for name in STAGES]


def test_result_says_which_weights_were_compared(tmp_path: Path) -> None:
    config = Config.load(REPOSITORY / "configs" / "econ_t_3elink.yaml")
    weights = EncoderWeights.random(SPEC, 5, density=0.3)
    found = bit_comparison(config, weights, len(CALQ), {"vitis": compare_stages(SPEC, CALQ, TRACE, dict(TRACE))})
    assert found.is_of(weights.digest()) and not found.is_of("0123456789abcdef")
    assert repr(found) == "<BitComparison of econ_t_3elink: vitis equal in 40 events>"
    found.save(tmp_path / "compare.json")
    assert BitComparison.load(tmp_path / "compare.json") == found
    assert json.loads((tmp_path / "compare.json").read_text())["backends"]["vitis"]["equal"] is True


def test_a_backend_with_a_mismatch_is_not_equal() -> None:
    """Also where the file does not name it."""
    row = StageComparison(stage="latent_code", n_values=4, n_mismatches=1, n_events=1)
    assert not BackendComparison(stages=(row,), first_mismatch=None).equal
    changed = TRACE["latent_code"] ^ (np.arange(16) == 3)
    found = compare_stages(SPEC, CALQ, TRACE, dict(TRACE) | {"latent_code": changed}).result
    assert not found.equal and found.first_mismatch is not None and "latent_code" in found.first_mismatch


def test_wrong_calls_are_no_agreement() -> None:
    with pytest.raises(ValueError, match="no common stage"):
        compare_stages(SPEC, CALQ, TRACE, {"other": CALQ})
    with pytest.raises(ValueError, match="shapes"):
        compare_stages(SPEC, CALQ, TRACE, {"latent_code": TRACE["latent_code"][:-1]})


def test_a_backend_that_is_not_known_is_one_line(tmp_path: Path) -> None:
    EncoderWeights.random(SPEC, 1).save(tmp_path / "weights.npz")
    write_calq(tmp_path / "calq.csv", CALQ)
    result = CliRunner().invoke(app, ["compare", "--weights", str(tmp_path / "weights.npz"), "--input",
                                      str(tmp_path / "calq.csv"), "--backend", "vits"])
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: --backend vits, expected vitis or catapult; did you mean 'vitis'?")
