"""The report in a browser, as a person uses it: look, choose a module, hide a series, sort, download."""

from __future__ import annotations

import csv
import io
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from bitexact_tests.conftest import missing
from bitexact_tests.samples.schemes import CALQ
from models.config import Config
from training.fit.run import Run
from training.physics.one_module import send_module
from training.physics.schemes import classical_schemes
from training.report.module_page import write_module
from training.report.page import write_report
from training.results.comparison import Comparison
from training.results.run import History

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]
EXPLORERS = ["bits_vs_emd", "modules_on_the_wafer", "profiles", "distributions", "learning_curves"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium of the system, driven by Playwright."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        missing("chromium not found (Debian: apt-get install chromium)")
    with import_module("playwright.sync_api").sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A look at the report: the page, what it wrote on the console, and what it asked the network for."""

    def __init__(self, browser: Any, run: Path, width: int = 1280, scheme: str = "light") -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page.set_default_timeout(60_000)
        self.console: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto((run / "report.html").as_uri())

    def see(self, section: str) -> Any:
        """A section, scrolled to, with its plots drawn."""
        found = self.page.locator(f"#{section}")
        found.scroll_into_view_if_needed()
        found.locator(".view svg").first.wait_for()
        return found

    def see_all(self) -> None:
        """All sections, unfolded, with all plots drawn."""
        for section in EXPLORERS:
            self.see(section)
        self.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        self.page.wait_for_function("Array.from(document.querySelectorAll('.view')).every((one) => "
                                    "one.querySelector('svg') || one.closest('[hidden]'))")


@pytest.fixture
def visit(browser: Any, full_run: Path) -> Iterator[Callable[..., Visit]]:
    """Visits to the report, which must end without a word on the console and without a request."""
    visits: list[Visit] = []

    def begin(**how: Any) -> Visit:
        visits.append(Visit(browser, full_run, **how))
        return visits[-1]

    yield begin
    for one in visits:
        assert one.console == [], "on the console"
        assert [url for url in one.requests if not url.startswith(("file:", "blob:", "data:"))] == []
        one.page.close()


@pytest.fixture(scope="module")
def physics(full_run: Path) -> Comparison:
    return Comparison.load(full_run / "physics.json")


@pytest.mark.parametrize(("width", "scheme", "ground", "ink"), [
    (1280, "light", "rgb(255, 255, 255)", "rgb(26, 32, 44)"), (800, "light", "rgb(255, 255, 255)", "rgb(26, 32, 44)"),
    (390, "dark", "rgb(23, 28, 36)", "rgb(237, 242, 247)"),
])
def test_everything_fits(visit: Callable[..., Visit], width: int, scheme: str, ground: str, ink: str) -> None:
    """No page wider than the screen; from 800 pixels on, no table wider than its place."""
    seen = visit(width=width, scheme=scheme)
    seen.see_all()
    page = seen.page
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
    assert page.evaluate("getComputedStyle(document.querySelector('#figure_pareto svg text')).fill") == ink
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    hidden = page.evaluate("Array.from(document.querySelectorAll('.wide'), (one) => one.scrollWidth - one.clientWidth)")
    assert len(hidden) > 10
    if width >= 800:
        assert max(hidden) == 0, "a hidden column"
    else:
        moved = page.evaluate("""() => {
            const wide = document.querySelector("#all_metrics_by_links .wide"), first = wide.querySelector("tbody td");
            wide.scrollLeft = 200;
            return [wide.scrollLeft, first.getBoundingClientRect().left - wide.getBoundingClientRect().left];
        }""")
        assert moved == [200, 0], "the first column stays"
        words = page.evaluate("Array.from(document.querySelectorAll('.words'), "
                              "(one) => one.scrollWidth - one.clientWidth)")
        assert words and max(words) == 0, "words to scroll"
        answers = page.evaluate("Array.from(document.querySelectorAll('#which_algorithm .wide, #why_this_algorithm "
                                ".wide, #resources_and_latency > .wide, #latents .wide'), (one) => one.scrollWidth - "
                                "one.clientWidth)")
        assert len(answers) == 7 and max(answers) == 0, "an answer to scroll"
        assert page.locator("#which_algorithm td").first.evaluate("(one) => getComputedStyle(one, '::before').content"
                                                                  ) == '"links"'
    lines = page.evaluate(LINES_OF_ERRORS)
    assert len(lines) > 5 and set(lines) == {1}, "a number and its error on two lines"
    small = page.evaluate("Array.from(document.querySelectorAll('figure svg'), (one) => "
                          "one.getBoundingClientRect().width).filter((width) => width > 0 && width < 200).length")
    assert small == 0, "pictures too small to read"


LINES_OF_ERRORS = """() => Array.from(document.querySelectorAll("#which_algorithm td, .verdict p")).flatMap((one) =>
    Array.from(one.textContent.matchAll(/[\\d.]+\\s±\\s[\\d.]+/g), (found) => {
        const range = document.createRange();
        range.setStart(one.firstChild, found.index);
        range.setEnd(one.firstChild, found.index + found[0].length);
        return new Set(Array.from(range.getClientRects(), (place) => Math.round(place.top))).size;
    }))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible_to_all(visit: Callable[..., Visit], scheme: str) -> None:
    """No violation that axe-core finds."""
    seen = visit(scheme=scheme)
    seen.see_all()
    assert violations(seen.page) == []


def violations(page: Any) -> list[str]:
    axe = import_module("axe_playwright_python.sync_playwright").Axe()
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in axe.run(page).response["violations"]]


TEXTS = """() => {
    const numbers = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
    const luminance = (colour) => {
        const [r, g, b] = colour.map((v) => v / 255).map(
            (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = luminance(numbers(getComputedStyle(document.body).backgroundColor).slice(0, 3));
    return Array.from(document.querySelectorAll("svg text")).filter((one) => one.textContent.trim()
        && one.getClientRects().length && getComputedStyle(one).opacity !== "0").map((one) => {
        const style = getComputedStyle(one), matrix = one.getScreenCTM();
        const ink = luminance(numbers(style.fill).slice(0, 3));
        const place = one.getBoundingClientRect(), picture = one.ownerSVGElement.getBoundingClientRect();
        return [one.textContent.trim(), parseFloat(style.fontSize) * Math.hypot(matrix.a, matrix.b),
                (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05),
                Math.max(picture.left - place.left, place.right - picture.right, picture.top - place.top)];
    });
}"""


COLLISIONS = """() => Array.from(document.querySelectorAll("svg")).flatMap((svg) => {
    const texts = Array.from(svg.querySelectorAll("text")).filter((one) => one.textContent.trim()
        && one.getClientRects().length && getComputedStyle(one).opacity !== "0")
        .map((one) => [one.textContent.trim(), one.getBoundingClientRect()]);
    const overlap = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
    return texts.flatMap(([name, a], i) =>
        texts.slice(i + 1).filter(([, b]) => overlap(a, b)).map(([other]) => [name, other]));
})"""


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_text_in_pictures_can_be_read(visit: Callable[..., Visit], width: int, scheme: str) -> None:
    """At least 9 pixels high, also in a smaller picture, of enough contrast in both themes, and not cut at an edge."""
    seen = visit(width=width, scheme=scheme)
    seen.see_all()
    texts = seen.page.evaluate(TEXTS)
    assert len(texts) > 100
    assert [text for text, size, *_ in texts if size < 9] == []
    assert [text for text, _, contrast, _ in texts if contrast < 4.5] == []
    assert [(text, beyond) for text, _, _, beyond in texts if beyond > 2] == []
    assert seen.page.evaluate(COLLISIONS) == []


def test_every_id_is_unique_and_every_picture_has_a_text(visit: Callable[..., Visit]) -> None:
    seen = visit()
    seen.see_all()
    ids = seen.page.evaluate("Array.from(document.querySelectorAll('[id]'), (one) => one.id)")
    assert len(ids) == len(set(ids)) and seen.page.locator("main").count() == 1
    without = seen.page.evaluate("""Array.from(document.querySelectorAll('svg')).filter((one) =>
        !(one.getAttribute('aria-label') || one.closest('[role=img][aria-label]'))).length""")
    assert without == 0


def test_every_section_shows_something(visit: Callable[..., Visit], tmp_path: Path) -> None:
    """A picture of each section: some of it differs from the ground, and the whole is not cut at the right."""
    seen = visit(width=800)
    seen.see_all()
    for section in seen.page.locator("main > section").all():
        path = tmp_path / f"{section.get_attribute('id')}.png"
        section.screenshot(path=path)
        image = plt.imread(path)[..., :3]
        assert image.shape[1] > 700 and (np.abs(image - image[-1, -1]).max(axis=2) > 0.2).mean() > 0.005, path.name
        assert not (np.abs(image[:, -1] - image[-1, -1]).max(axis=1) > 0.2).all(), f"{path.name}: cut at the right"


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


def test_page_of_a_module_is_accessible(browser: Any, tmp_path: Path) -> None:
    write_module(send_module(CALQ, 1, classical_schemes(5, 0, (47,)), "a <sample>"), tmp_path / "report.html")
    for width, scheme in ((1280, "light"), (390, "dark")):
        seen = Visit(browser, tmp_path, width, scheme)
        assert violations(seen.page) == [] and seen.console == []
        assert seen.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        texts = seen.page.evaluate(TEXTS)
        assert len(texts) > 10 and all(size >= 9 and contrast >= 4.5 for _, size, contrast, _ in texts)
        seen.page.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark"), *(
    pytest.param(*how, marks=pytest.mark.slow)
    for how in ((1280, "dark"), (800, "light"), (800, "dark"), (390, "light")))])
def test_page_of_many_runs(browser: Any, runs_page: Path, width: int, scheme: str) -> None:
    """Accessible, readable, no wider than the screen, without a word on the console or a request."""
    seen = Visit(browser, runs_page, width, scheme)
    seen.see_all()
    page = seen.page
    assert violations(page) == [] and seen.console == []
    assert [url for url in seen.requests if not url.startswith(("file:", "blob:", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    hidden = page.evaluate("Array.from(document.querySelectorAll('.wide'), (one) => one.scrollWidth - one.clientWidth)")
    assert len(hidden) > 3 and (width < 800 or max(hidden) == 0)
    answers = page.evaluate("Array.from(document.querySelectorAll('#ranking .wide, #runs .wide, #which_algorithm "
                            ".wide'), (one) => one.scrollWidth - one.clientWidth)")
    assert len(answers) == 4 and max(answers) == 0, "an answer to scroll"
    texts = page.evaluate(TEXTS)
    assert len(texts) > 50 and [text for text, size, contrast, _ in texts if size < 9 or contrast < 4.5] == []
    assert page.evaluate(COLLISIONS) == []
    page.close()


def test_faults_are_seen(browser: Any, full_run: Path) -> None:
    """The tests of this file can fail: an error, a request and a picture without text are found."""
    seen = Visit(browser, full_run)
    seen.page.evaluate("""() => {
        setTimeout(() => nothing.at.all(), 0);
        document.querySelector("main").append(document.createElement("img"));
        document.querySelector("main img").src = "http://localhost:1/x.png";
    }""")
    seen.page.wait_for_timeout(300)
    assert any("nothing is not defined" in one for one in seen.console)
    assert any("Content Security Policy" in one for one in seen.console), "the page itself refuses to load anything"
    assert any(one.startswith("image-alt") for one in violations(seen.page))
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
