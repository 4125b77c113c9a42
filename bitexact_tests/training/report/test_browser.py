"""The report in a browser, as a person uses it: choose a module, hide a series, zoom, sort, download."""

from __future__ import annotations

import csv
import io
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bitexact_tests.samples.browser import EXPLORERS, Visit
from models.config import Config
from training.fit.run import Run
from training.report.page import write_report
from training.results.comparison import Comparison
from training.results.run import History


@pytest.fixture(scope="module")
def physics(full_run: Path) -> Comparison:
    return Comparison.load(full_run / "physics.json")


def test_learning_curves_mark_the_jump_between_two_losses(browser: Any, run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    History.load(folder / "history.json").model_copy(update={"final_from": 3, "losses": ("kernel", "emd")}).save(
        folder / "history.json")
    write_report(Run(folder, Config.load("econ_t_5elink")))
    seen = Visit(browser, folder)
    section = seen.see("learning_curves")
    section.get_by_text("kernel, then emd", exact=True).first.wait_for()
    label = section.get_by_role("img").first.get_attribute("aria-label")
    assert label.endswith("; kernel, then emd from epoch 3 on")
    seen.page.close()


def test_choose_a_module(visit: Callable[..., Visit], physics: Comparison) -> None:
    seen = visit()
    section = seen.see("modules_on_the_wafer")
    sample = physics.sample
    assert sample is not None
    best = next(one for one in sample.receptions if one.n_elinks == 5)
    section.get_by_label("order", exact=True).select_option(f"worst of {best.scheme} first")
    worst = max(range(len(sample.rows)), key=lambda index: best.emd[index])
    section.get_by_text(f"module 1 of {len(sample.rows)}: row {sample.rows[worst]},").wait_for()
    picture = section.get_by_role("img", name=re.compile(f"^Charges of row {sample.rows[worst]} "))
    picture.wait_for()
    section.get_by_role("button", name="next module").click()
    section.get_by_text(f"module 2 of {len(sample.rows)}: ").wait_for()
    section.get_by_role("button", name="previous module").click()
    picture.wait_for()
    # A cell tells its charges, with the input and what every algorithm sends.
    cell = max(range(48), key=lambda cell: sample.true[worst][cell])
    section.locator("#figure_wafers svg .mark-shape path").nth(cell).hover()
    tip = seen.page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    told = dict(row.split("\t") for row in tip.inner_text().split("\n"))
    assert told["trigger cell"] == str(cell) and told["input"] == str(sample.true[worst][cell])
    for one in sample.receptions:
        if one.n_elinks == 5:
            assert float(told[one.scheme].replace(",", "")) == one.charge[worst][cell]
    latents = next(one.latent for one in sample.receptions if one.n_elinks == 5 and one.latent)[worst]
    encoder = section.locator("#figure_encoder [role=img]")
    assert encoder.get_attribute("aria-label").endswith(f"latents {', '.join(map(str, latents))}")
    # The other budget, and a scale that all maps share.
    section.get_by_label("links", exact=True).select_option("2")
    section.get_by_label("charge scale", exact=True).select_option("linear")
    section.get_by_text("difference [CALQ]", exact=True).wait_for()
    # A click on a point chooses its module.
    before = section.locator("output").inner_text()
    section.locator("#figure_modules svg .mark-symbol path").nth(7).click(force=True)
    seen.page.wait_for_function("(before) => document.querySelector('output').textContent !== before", arg=before)


def test_hide_a_series(visit: Callable[..., Visit]) -> None:
    seen = visit()
    for section, figure in (("profiles", "profiles"), ("modules_on_the_wafer", "wafers")):
        place = seen.see(section)
        plot = place.locator(f"#figure_{figure} svg")
        assert plot.get_by_text("BC", exact=True).count() == 1
        place.get_by_role("checkbox", name="BC", exact=True).uncheck()
        plot.get_by_text("BC", exact=True).wait_for(state="detached")
        place.get_by_role("checkbox", name="BC", exact=True).check()
        plot.get_by_text("BC", exact=True).wait_for()


def test_without_any_series_the_page_says_so(visit: Callable[..., Visit]) -> None:
    seen = visit()
    for section in EXPLORERS:
        place = seen.see(section)
        for box in place.get_by_role("checkbox").all():
            box.uncheck()
        place.get_by_text("No values").first.wait_for()


def test_metric_of_the_pareto_plot(visit: Callable[..., Visit], physics: Comparison) -> None:
    seen = visit()
    section = seen.see("bits_vs_emd")
    section.get_by_text("mean EMD [sensor-cell pitch]", exact=True).wait_for()
    section.get_by_label("metric", exact=True).select_option("cross-correlation")
    view = section.get_by_role("img", name="mean cross-correlation vs. bits per BX")
    view.wait_for()
    best = max(physics.schemes, key=lambda one: one.metrics["correlation"].mean or 0)
    assert f"{best.name} {best.metrics['correlation'].mean:.3g}"[:-1] in view.get_attribute("aria-label")


def test_zoom(visit: Callable[..., Visit]) -> None:
    """Drag moves the axes, a double click moves them back."""
    seen = visit()
    figure = seen.see("profiles").locator("#figure_profiles .view svg")
    labels = figure.locator(".role-axis-label text")
    before = labels.all_text_contents()
    figure.scroll_into_view_if_needed()
    box = figure.bounding_box()
    seen.page.mouse.move(box["x"] + 300, box["y"] + 150)
    seen.page.mouse.down()
    seen.page.mouse.move(box["x"] + 500, box["y"] + 150, steps=4)
    seen.page.mouse.up()
    seen.page.wait_for_timeout(300)
    assert labels.all_text_contents() != before
    seen.page.mouse.dblclick(box["x"] + 300, box["y"] + 20)
    seen.page.wait_for_timeout(300)
    assert labels.all_text_contents() == before


def test_sort_a_table(visit: Callable[..., Visit]) -> None:
    table = visit().page.locator("#which_algorithm table").first
    head, first = table.locator("th").first, table.locator("tbody tr td:first-child")
    head.get_by_role("button").click()
    assert first.all_inner_texts() == ["2", "5"] and head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").click()
    assert first.all_inner_texts() == ["5", "2"] and head.get_attribute("aria-sort") == "descending"


def test_download_a_table(visit: Callable[..., Visit], physics: Comparison, tmp_path: Path) -> None:
    """With all digits, and errors in columns of their own."""
    page = visit().page
    rows = list(csv.DictReader(io.StringIO(save(page, "Download as CSV: Metrics on 5 links", tmp_path).decode())))
    assert [row["scheme"] for row in rows] == [one.name for one in physics.table(5)]
    for row, one in zip(rows, physics.table(5), strict=True):
        assert float(row["EMD"]) == one.emd.mean and float(row["EMD error"]) == one.emd.error
        assert (row["sum response"] == "") == (one.metrics["sum_response"].mean is None)


def save(page: Any, label: str, folder: Path) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=label, exact=True).click()
    download.value.save_as(folder / download.value.suggested_filename)
    return (folder / download.value.suggested_filename).read_bytes()


@pytest.mark.parametrize(("section", "caption"), [
    ("bits_vs_emd", "Each point is a scheme"), ("weights", "Codes of each array")])
def test_download_a_picture(visit: Callable[..., Visit], section: str, caption: str, tmp_path: Path) -> None:
    """Drawn by the page, or by Matplotlib: on white, with dark text, whatever the theme."""
    seen = visit(scheme="dark")
    if section in EXPLORERS:
        seen.see(section)
    buttons = seen.page.locator(f"#{section} figcaption").filter(has_text=caption).get_by_role("button")
    names = [button.get_attribute("aria-label") for button in buttons.all()]
    assert [name.split(":")[0] for name in names] == ["Download as SVG", "Download as PNG"]
    root = ET.fromstring(save(seen.page, names[0], tmp_path))
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and "color: rgb(26, 32, 44)" in root.attrib["style"]
    assert root[0].attrib["fill"] == "#ffffff" and len(list(root.iter())) > 50
    image = save(seen.page, names[1], tmp_path)
    assert image.startswith(b"\x89PNG") and len(image) > 10_000
