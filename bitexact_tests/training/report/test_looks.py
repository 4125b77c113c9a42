"""How the report looks in a browser: everything fits, can be read, and is accessible, in every width and theme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from bitexact_tests.samples.browser import Visit, violations
from bitexact_tests.samples.schemes import CALQ
from training.physics.one_module import send_module
from training.physics.schemes import classical_schemes
from training.report.module_page import write_module


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
        answers = page.evaluate("Array.from(document.querySelectorAll('.wide:not(.many)'), "
                                "(one) => one.scrollWidth - one.clientWidth)")
        assert len(answers) > 15 and max(answers) == 0, "an answer to scroll"
        many = page.locator(".many caption").all_text_contents()
        assert many and all(title.startswith(("Metrics on ", "Charges of row ")) for title in many), many
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


def test_page_of_a_module(browser: Any, tmp_path: Path) -> None:
    """Accessible, readable, nothing hidden, without the library of plots, with every number to be had."""
    write_module(send_module(CALQ, 1, classical_schemes(5, 0, (47,)), "a <sample>"), tmp_path / "report.html")
    for width, scheme in ((1280, "light"), (390, "dark")):
        seen = Visit(browser, tmp_path, width, scheme)
        assert violations(seen.page) == [] and seen.console == []
        assert seen.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        texts = seen.page.evaluate(TEXTS)
        assert len(texts) > 10 and all(size >= 9 and contrast >= 4.5 for _, size, contrast, _ in texts)
        hidden = seen.page.evaluate("Array.from(document.querySelectorAll('.wide'), (one) => "
                                    "one.scrollWidth - one.clientWidth)")
        assert len(hidden) >= 4 and max(hidden) == 0, "a hidden column"
        tables, pictures = seen.page.locator("table").count(), seen.page.locator("figure > svg").count()
        assert seen.page.get_by_role("button", name="CSV").count() == tables
        assert seen.page.get_by_role("button", name="PNG").count() == pictures == 1
        seen.page.close()
    assert (tmp_path / "report.html").stat().st_size < 1_000_000


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
