"""The documentation site: built without network or warning, seen and searched in a browser that opens it as files."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest

from bitexact_tests.conftest import REPOSITORY, missing
from bitexact_tests.samples.browser import violations

MOST_OF_A_PAGE = 250_000
"""Bytes of its HTML; pictures are files of their own."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project whose site is built."""
    if importlib.util.find_spec("zensical") is None:
        missing("package zensical is not installed")
    folder = tmp_path_factory.mktemp("site") / "clone"
    copytree(REPOSITORY, folder, ignore=ignore_patterns(".*", "runs", "site"))
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "zensical", "build", "--clean", "--strict"], cwd=folder,
                          env=os.environ | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """A page without network in the system's Chromium."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        missing("chromium not found")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        yield browser.new_context(offline=True, viewport={"width": 1280, "height": 900}).new_page()
        browser.close()


def test_references_are_written_from_the_code(clone: Path) -> None:
    commands = (clone / "site" / "reference" / "commands.html").read_text(encoding="utf-8")
    assert 'id="econ-t-train"' in commands and 'id="econ-t-chip-decode"' in commands and "--retrain" in commands
    python = clone / "site" / "reference" / "python"
    assert 'id="models.spec.EncoderSpec"' in (python / "models.html").read_text(encoding="utf-8")


def test_every_page_is_small_enough_for_a_phone(clone: Path) -> None:
    sizes = {page.relative_to(clone).as_posix(): page.stat().st_size for page in (clone / "site").rglob("*.html")}
    assert [f"{page}: {size}" for page, size in sizes.items() if size > MOST_OF_A_PAGE] == []


def test_no_page_asks_for_anything_from_elsewhere(clone: Path) -> None:
    pages = list((clone / "site").rglob("*.html"))
    assert len(pages) > 20
    assert [page.name for page in pages if re.search(
        r'<(?:script|link|img)\b[^>]+(?:src|href)="https?://', page.read_text(encoding="utf-8"))] == []


@pytest.mark.slow
def test_a_broken_link_fails(clone: Path) -> None:
    page = clone / "docs" / "tutorial.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(text + "\n[nowhere](nowhere.md)\n", encoding="utf-8")
    done = build(clone)
    page.write_text(text, encoding="utf-8")
    assert done.returncode != 0 and "page does not exist" in done.stdout + done.stderr


def test_search_works_in_pages_that_are_opened_as_files(clone: Path, page: Any) -> None:
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: heard.append(request.url) if not request.url.startswith("file:") else None)
    page.goto((clone / "site" / "how-to" / "batch.html").as_uri())
    page.get_by_role("button", name="Search").click()
    page.get_by_placeholder("Search").fill("saturate")
    page.locator("a", has_text="The QKeras quantiser").click()
    page.wait_for_url(re.compile(r"^file:.*/reference/python/models\.html#models\.fixed_point\.FixedPoint\.as_qkeras$"))
    assert heard == []


SCROLLED = """(parts) => Array.from(document.querySelectorAll(parts))
    .filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.textContent.trim().slice(0, 80))"""
CODE = ".md-content pre, .md-content pre > code"
TABLES = ".md-content table, .md-typeset__scrollwrap"


@pytest.mark.slow
def test_nothing_scrolls_sideways(clone: Path, page: Any) -> None:
    """Neither code nor tables on a laptop; on a phone, wide tables only."""
    scrolled, seen = [], 0
    for path in sorted((clone / "site").rglob("*.html")):
        page.goto(path.as_uri())
        for width, parts in ((1280, f"{CODE}, {TABLES}"), (390, CODE)):
            page.set_viewport_size({"width": width, "height": 900})
            seen += page.locator(parts).count()
            scrolled += [f"{path.relative_to(clone)}, {width} px: {one}" for one in page.evaluate(SCROLLED, parts)]
    page.set_viewport_size({"width": 1280, "height": 900})
    assert seen > 500 and scrolled == []


OF_THE_THEME = {
    "landmark-unique": "each list of pages and each button that copies is a navigation of its own, some without a name",
    "scrollable-region-focusable": "on a phone, wide tables scroll in an element that the theme wraps around them; "
                                   "browsers let the keyboard reach it, axe-core does not count that",
}
"""Rules of axe-core that the theme breaks, where no style sheet and no text of ours can mend it."""


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_accessible_to_all(clone: Path, page: Any, width: int, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    but = set(OF_THE_THEME) - ({"scrollable-region-focusable"} if width == 1280 else set())
    for path in ("index", "tutorial", "where-ae-wins", "hardware", "radiation", "reference/commands",
                 "reference/python/models"):
        page.goto((clone / "site" / f"{path}.html").as_uri())
        assert violations(page, but) == [], path


def test_lines_are_copied_as_they_were_written(clone: Path, page: Any) -> None:
    """By the button: the line spans of the site are blocks, between which a browser copies an empty line."""
    page.goto((clone / "site" / "tutorial.html").as_uri())
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".md-code__button").first.click()
    page.get_by_text("Copied to clipboard").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "make setup\nsource .venv/bin/activate\necon-t --version"
