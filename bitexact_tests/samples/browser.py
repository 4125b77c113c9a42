"""A browser on the report, as a person uses one."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]
EXPLORERS = ["bits_vs_emd", "modules_on_the_wafer", "profiles", "distributions", "learning_curves"]


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


def violations(page: Any, but: Iterable[str] = ()) -> list[str]:
    """What axe-core finds on a page, by all its rules but some."""
    axe = import_module("axe_playwright_python.sync_playwright").Axe()
    options = {"resultTypes": ["violations"], "rules": {rule: {"enabled": False} for rule in but}}
    found = axe.run(page, options=options).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]
