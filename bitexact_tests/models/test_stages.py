"""Stages of a configuration: what each makes of it, and what is wrong in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitexact_tests.conftest import REPOSITORY
from models.config import Config
from models.errors import InputError

TEXT = (REPOSITORY / "configs" / "econ_t_5elink.yaml").read_text() + """
  stages:
    - epochs: 3
      augment: {cut: 0.1}
    - loss: emd
      clip_norm: 5
      data:
        n_modules: 70
      start: runs/other
    - learning_rate: 0.001
"""


def load(tmp_path: Path, text: str = TEXT) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return Config.load(path)


def test_a_stage_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    plain = Config.load("econ_t_5elink")
    first, second, last = load(tmp_path).stages()
    assert first.config == plain.evolve(training={"epochs": 3, "augment": {"cut": 0.1}}) and first.start is None
    assert second.config == plain.evolve(training={"loss": "emd", "clip_norm": 5.0}, data={"n_modules": 70})
    assert second.start == "runs/other"
    assert last.config.evolve(training={"stages": ()}) == plain.evolve(training={"learning_rate": 0.001})
    assert plain.stages() == ((plain, None, None),)


def test_the_last_stage_holds_the_chain(tmp_path: Path) -> None:
    stages = load(tmp_path).stages()
    stages[-1].config.save(tmp_path / "again.yaml")
    assert Config.load(tmp_path / "again.yaml").stages() == stages


@pytest.mark.parametrize(("old", "new", "message"), [
    ("epochs: 3", "epoch: 3", r"config.yaml:22: unknown key 'training.epoch', in stage 1 .*; did you mean 'epochs'\?$"),
    ("cut: 0.1", "cut: 2", r"config.yaml:23: training.augment.cut: .* less than or equal to 1 .*, in stage 1"),
    ("n_modules: 70", "n_modules: 7", r"config.yaml:27: data.n_modules: .* in stage 2 of training.stages"),
    ("loss: emd", "network: dense_d32_tele", r"config.yaml:24: training.network is the same in all stages"),
    ("- learning_rate: 0.001", "- stages: []", r"config.yaml:29: training.stages is the same in all stages"),
    ("- learning_rate: 0.001", "- 7", r"config.yaml:29: training.stages.2: Input should be"),
    ("start: runs/other", "start: [1]", r"config.yaml:28: training.stages.1.start: Input should be a valid string"),
])
def test_what_is_wrong_in_a_stage_is_named_with_its_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, TEXT.replace(old, new))


def test_networks_have_no_stages(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="network dense_d32_tele starts from random weights, expected no stages"):
        load(tmp_path, TEXT.replace("  stages:", "  network: dense_d32_tele\n  stages:"))


def test_an_option_that_a_stage_would_hide_is_refused(tmp_path: Path) -> None:
    config = load(tmp_path)
    options = [lambda: config.override(training={"epochs": 1}), lambda: config.with_settings(["training.epochs=1"])]
    for change in options:
        with pytest.raises(InputError, match=r"^training\.epochs: also set by stage 1 of training\.stages, .* or train "
                                             r"without stages: --set 'training\.stages=\[\]' --set training\.epochs="):
            change()
    with pytest.raises(InputError, match=r"^training\.augment\.cut: also set by stage 1"):
        config.with_settings(["training.augment.cut=0"])
    with pytest.raises(InputError, match=r"^data\.n_modules: also set by stage 2"):
        config.override(data={"n_modules": 100})
    alone = config.with_settings(["training.stages=[]", "training.epochs=1"])
    assert [stage.config.training.epochs for stage in alone.stages()] == [1]
    with pytest.raises(InputError, match=r"^training\.epochs: also set by stage 1"):
        config.with_settings(["training.epochs=1", "training.stages=[{epochs: 2}]"])
    changed = config.with_settings(["training.augment.mix=0.2"]).override(training={"seed": 5})
    assert [stage.config.training.seed for stage in changed.stages()] == [5, 5, 5]
    assert changed.stages()[0].config.training.augment.cut == 0.1
