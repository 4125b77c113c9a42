"""The list of faults applies, a sample of it is found, and the check sees a fault that is not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.faults import Fault, Outcome, check, load_faults, page

FAULTS = load_faults()


def by_name(file: str, what: str) -> Fault:
    return next(fault for fault in FAULTS if (fault.file, fault.what) == (file, what))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.file}: {fault.what}")
def test_every_fault_applies(fault: Fault) -> None:
    source = (REPOSITORY / fault.file).read_text(encoding="utf-8")
    changed = fault.applied(source)
    assert changed != source and "\n" not in fault.what
    if fault.file.endswith(".py"):
        compile(changed, fault.file, "exec")
    files = [word.split("::")[0] for word in fault.selection if ".py" in word]
    assert files and all((REPOSITORY / file).is_file() for file in files)


def test_the_list_is_long_and_says_nothing_twice() -> None:
    assert len(FAULTS) >= 200 and sum(fault.file.startswith("training/") for fault in FAULTS) >= 60
    assert len({(fault.file, fault.what) for fault in FAULTS}) == len({(f.file, f.text, f.by) for f in FAULTS})
    assert len({(fault.file, fault.what) for fault in FAULTS}) == len(FAULTS)
    assert {fault.file.split("/")[0] for fault in FAULTS} == {
        "emulator", "models", "hls", "rtl", "training", "bitexact_tests", "Makefile"}


def test_the_page_is_that_of_the_list() -> None:
    rows = [line.split("|") for line in (REPOSITORY / "docs" / "faults.md").read_text().splitlines()
            if line.startswith("| ")][1:]
    assert [(row[2].strip(" `"), row[1].strip()) for row in rows] == [(fault.file, fault.what) for fault in FAULTS]
    assert all(".py::" in row[3] for row in rows)


SAMPLE = [
    by_name("emulator/algorithms/best_choice.py", "equal charges change places in the sorter"),
    by_name("models/weights.py", "dense weights by input, not by output"),
    by_name("models/calq_io.py", "one row too few of each file"),
    Fault("models/weights.py", "harmless", '"""Every weight and bias the same code."""', '"""All alike."""',
          "models/test_weights.py -k flat"),
]
"""Three faults, and a change that is none."""


@dataclass(frozen=True)
class Checked:
    """What became of the sample, and the titles that were reported."""

    outcomes: list[Outcome]
    titles: list[str]


@pytest.fixture(scope="module")
def checked() -> Checked:
    titles: list[str] = []
    return Checked(check(SAMPLE, 300, 2, lambda title, outcome: titles.append(title)), titles)


def test_faults_are_found_and_a_harmless_change_is_not(checked: Checked) -> None:
    assert [outcome.caught_by is not None for outcome in checked.outcomes] == [True, True, True, False]
    assert checked.outcomes[3].problem == ""


def test_the_test_that_finds_a_fault_is_named(checked: Checked) -> None:
    assert checked.outcomes[0].caught_by == (
        "emulator/algorithms/test_best_choice.py::test_network_against_scalar_compare_exchange")


def test_every_fault_and_its_tests_without_it_are_reported(checked: Checked) -> None:
    assert sorted(checked.titles) == sorted([f"{fault.file}: {fault.what}" for fault in SAMPLE]
                                            + [f"without a fault: {fault.tests}" for fault in SAMPLE])


def test_the_page_counts_what_was_found(checked: Checked) -> None:
    text = page(SAMPLE, checked.outcomes, 60)
    assert "4 faults" in text and "3 of them" in text and text.count("**nothing**") == 1


@pytest.mark.parametrize(("change", "message"), [
    ({"text": "def activate_"}, "emulator/encoder.py: kernel transposed: 'def activate_' stands there 0 times"),
    ({"text": "spec"}, r"'spec' stands there \d\d times, expected once"),
    ({"tests": "emulator/test_encoder.py -k no_such_test"},
     "must pass on the code without a fault: pytest ended with status 5"),
])
def test_what_can_not_be_checked_is_an_error(change: dict[str, str], message: str) -> None:
    fault = replace(by_name("emulator/encoder.py", "kernel transposed"), **change)
    with pytest.raises(ValueError, match=message):
        check([fault], 300, 1, lambda title, outcome: None)


def test_tests_that_hang_end_at_their_time(tmp_path: Path) -> None:
    from bitexact_tests.faults import run_tests

    (tmp_path / "bitexact_tests").mkdir()
    (tmp_path / "bitexact_tests" / "conftest.py").write_text(
        "from hypothesis import settings\nsettings.register_profile('first_failure')\n")
    (tmp_path / "bitexact_tests" / "test_hang.py").write_text("import time\n\ndef test_hang():\n    time.sleep(600)\n")
    outcome = run_tests(tmp_path, ["bitexact_tests/test_hang.py"], 5)
    assert outcome == Outcome(None, outcome.seconds, "more than 5 s")
