"""The trigger in the report: the sentence at the top, the tables, figures with values under the pointer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bitexact_tests.samples.trigger import study
from models.errors import InputError
from training.figures.style import as_svg, style
from training.report.trigger_section import trigger_section, verdict
from training.results.trigger import TriggerStudy


def test_verdict_names_the_best_that_sends_frames_and_its_cost() -> None:
    """`all` is better, but needs no link."""
    assert verdict(study()) == [
        "Trigger, electrons with 200 pile-up: the best of 2 systems that send frames is other, efficiency "
        "0.900 ± 0.090 at 1% of the bunch crossings, with 90 bits of 2.20 links per module. Within 3 errors of it: "
        "one (70 bits)."]


def test_no_verdict_without_a_value() -> None:
    content = json.loads(study().model_dump_json())
    for one in content["systems"]:
        one["samples"][0]["working_points"], one["samples"][0]["objects"]["resolution"]["value"] = [], None
    assert verdict(TriggerStudy.model_validate_json(json.dumps(content))) == []


def test_verdict_of_one_system() -> None:
    one = study()
    alone = one.model_copy(update={"systems": one.systems[:1], "differences": ()})
    assert verdict(alone) == ["Trigger, electrons with 200 pile-up: one: efficiency 0.800 ± 0.080 at 1% of the bunch "
                              "crossings, with 70 bits of 2.20 links per module."]


@pytest.mark.parametrize(("value", "error", "near"), [(0.60, 0.01, False), (0.60, 0.10, True), (0.62, 0.01, False),
                                                      (0.64, 0.01, True), (None, None, False)])
def test_verdict_names_what_is_as_good_within_the_errors(value: float | None, error: float | None, near: bool) -> None:
    content = json.loads(study().model_dump_json())
    content["systems"][0]["samples"][0]["working_points"][0]["efficiency"] = {"value": value, "error": error}
    (sentence,) = verdict(TriggerStudy.model_validate_json(json.dumps(content)))
    assert ("Within 3 errors of it: one (70 bits)." in sentence) == near


def test_section_has_every_system_and_figure() -> None:
    with style("page"):
        section = trigger_section(study(), "absent")
        (child,) = section.children
        assert [row[0].text for row in child.tables[0].rows] == ["one", "other", "all"]
        assert child.tables[1].caption.startswith("Generated electrons above 10 GeV")
        positions = dict(zip(child.tables[1].titles, child.tables[1].rows[0], strict=True))
        assert positions["η, 0.001"].text == positions["φ, 0.001"].text == "900.000 ± 90.000"
        assert [cell.text for cell in child.tables[2].rows[1]] == [
            "other", "3.000 ± 0.300", "6.000 ± 0.600", "9.000 ± 0.900", "18.000 ± 1.800", "20.000 ± 2.000",
            "40.000 ± 4.000", "4.000 ± 0.400", "8.000 ± 0.800"]
        names = {plot.name for plot in (*section.plots, *child.plots)}
        assert names == {"trigger_electrons_rates", "trigger_event_0", "trigger_electrons_pt", "trigger_electrons_eta",
                         "trigger_electrons_turn_on", "trigger_electrons_roc"}
        pictures = {plot.name: as_svg(plot.figure, plot.caption, plot.name) for plot in (*section.plots, *child.plots)}
    assert "<title>other: 0.100 at 0.5 GeV</title>" in pictures["trigger_electrons_pt"]
    assert "<title>one: 1.000 of the pile-up at 1.000</title>" in pictures["trigger_electrons_roc"]
    assert "<title>one: above 20 GeV 3,104 kHz</title>" in pictures["trigger_electrons_rates"]
    assert "<title>all: cluster of 12.0 GeV</title>" in pictures["trigger_event_0"]
    assert section.tables[0].rows[0][3].text == "-0.100 ± -0.010"


def test_nothing_was_run() -> None:
    assert trigger_section(None, "Not run.").text == "Not run."


def test_study_of_other_weights() -> None:
    assert study().is_of("2" * 12) and not study().is_of("9" * 12)


@pytest.mark.parametrize(("change", "message"), [
    ({"systems": []}, "no system"),
    ({"samples": ["electrons", "pions"]}, "system one: sample pions is missing"),
    ({"n_events": "5"}, "n_events: Input should be a valid integer"),
])
def test_file_that_is_not_whole(change: dict[str, object], message: str, tmp_path: Path) -> None:
    path = tmp_path / "trigger.json"
    path.write_text(json.dumps(json.loads(study().model_dump_json()) | change))
    with pytest.raises(InputError, match=f"trigger.json: {message}"):
        TriggerStudy.load(path)
