"""What commands show on a terminal of 80 columns: numbers under numbers, names and times whole."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping

import numpy as np
import pytest

from models.config import Config
from models.console import WholeWords
from training.commands import console
from training.commands.data.parts import counts_text
from training.production.distributions import compare
from training.results.run import Epoch


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal of 80 columns, instead of stdout and stderr."""
    text = io.StringIO()
    narrow = WholeWords(file=text, width=80, force_terminal=True, color_system=None, markup=False, highlight=False)
    monkeypatch.setattr(console, "result_console", lambda *_: narrow)
    monkeypatch.setattr(console, "STDERR", narrow)
    return text


def test_numbers_stand_right_and_texts_left(terminal: io.StringIO) -> None:
    console.show_records(WholeWords(file=terminal, width=80), "links", [
        {"links": "2", "part": "71.0%", "weights": None, "EMD": 0.5, "rate": "3.3e-05"},
        {"links": "10", "part": "0.7%", "weights": "a.npz", "EMD": None, "rate": "0.004"}])
    assert terminal.getvalue().splitlines()[1:] == [
        "links    part   weights     EMD      rate", "─" * 41,
        "    2   71.0%   -         0.500   3.3e-05", "   10    0.7%   a.npz         -     0.004"]


def test_progress_of_a_training_is_whole(terminal: io.StringIO) -> None:
    config = Config.load("econ_t_5elink").override(training={"epochs": 100})
    with console.TrainingProgress(config) as progress:
        progress.stage(2, 3, config)
        progress.epoch(100, Epoch(loss=0.033261, val_loss=0.037671, val_emd=3.0681))
    last = re.sub(r"\x1b\[[0-9;?]*\w", "", terminal.getvalue()).splitlines()[-1].rpartition("\r")[2]
    assert last.split() == ["econ_t_5elink,", "stage", "2", "of", "3", "100/100", "validation", "0.03767", "EMD",
                            "3.068", "0:00:00"] and len(last) <= 80


@pytest.mark.parametrize(("samples", "names"), [
    (("generated", "/a/very/long/path/to/files/of/measured/modules/calq.csv"), ["generated", "calq.csv"]),
    (("one/calq.csv", "two/calq.csv"), ["one/calq.csv", "two/calq.csv"])])
def test_samples_are_named_by_their_file_where_that_tells_them_apart(
    terminal: io.StringIO, samples: tuple[str, str], names: list[str]
) -> None:
    calq = np.full((4, 48), 5)
    console.show_distributions(compare(dict.fromkeys(samples, calq)), None, None)
    rows = [re.split(r" {2,}", line) for line in terminal.getvalue().splitlines()[3:]]
    assert [row[:3] for row in rows[:4]] == [[title, name, mean] for title, mean in (
        ("cells hit", "48.0"), ("module sum", "240.0")) for name in names]


@pytest.mark.parametrize(("counts", "text"), [
    ({"events": 1, "modules": 1200, "other_inputs": 2},
     "1 event, 1,200 modules, 2 with encoder inputs that the chip would not compute"),
    ({"left_out": 1, "not_found": 0, "nElinks_1": 1, "nElinks_9": 2},
     "3 rows with links, 1 left out, 0 not in the list"),
    ({"read": 9, "partial": 1, "sim_energy": 2, "charge": 3, "kept": 3},
     "9 read, 1 partial, 2 without energy of the process, 3 with too little charge, 3 kept"),
    ({"links 5": 1, "left_out": 0}, "1 row with links, 0 left out")])
def test_counts_of_a_step_are_words(counts: Mapping[str, int], text: str) -> None:
    assert counts_text(counts) == text


def test_parts_of_an_earlier_call_count_when_all_are_done(terminal: io.StringIO) -> None:
    with console.part_progress(3) as done:
        done("c", {})
    last = re.sub(r"\x1b\[[0-9;?]*\w", "", terminal.getvalue()).splitlines()[-1].rpartition("\r")[2]
    assert last.split()[2] == "100%"
