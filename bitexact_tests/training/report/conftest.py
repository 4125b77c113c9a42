"""The report that these tests read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import missing
from bitexact_tests.samples.browser import FLAGS, Visit
from bitexact_tests.samples.reports import CONFIG, CONFIG_FILE, make_run
from bitexact_tests.samples.results import chip_synthesis, pareto_point, pareto_scan
from bitexact_tests.samples.schemes import CALQ
from bitexact_tests.samples.trigger import study
from models.calq_io import write_calq
from models.config import Config
from models.cost import cost
from models.hardware import Implementation
from models.spec import EncoderSpec
from models.trigger_cells import image_order
from models.weights import EncoderWeights
from rtl.results import Resources
from training.__main__ import app
from training.production.toy import generate
from training.results.run import History
from training.results.size import Size
from training.results.trigger import TriggerStudy


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with `report.html` and `report.json`."""
    folder = tmp_path_factory.mktemp("run")
    make_run(folder)
    done = CliRunner().invoke(app, ["report", "--config", str(CONFIG_FILE), "--run", str(folder), "--json",
                                    str(folder / "report.json")])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="session")
def full_run(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with everything that a page can show: the trigger, gates and look-up tables, a scan over bit widths."""
    folder = shutil.copytree(run, tmp_path_factory.mktemp("full") / "run")
    weights = EncoderWeights.load(folder / "weights.npz", CONFIG.encoder)
    TriggerStudy.model_validate_json(study().model_dump_json().replace("1" * 12, weights.digest())).save(
        folder / "trigger.json")
    for technology, resources in (("gates", Resources(nand2=1_234_567, ff=12_345)), ("xc7", Resources(lut=98_765))):
        chip_synthesis(CONFIG.encoder, technology=technology, resources=resources).save(
            folder / f"rtl_{technology}.json")
    rng = np.random.default_rng(1)
    place = pd.DataFrame({"layer": rng.integers(1, 28, 200), "waferu": rng.integers(2, 6, 200), "waferv": 1})
    write_calq(folder / "test.csv", generate(200, 4), CONFIG.data.order, place)
    digest = CONFIG.encoder.digest()
    pareto_scan(pareto_point(3, 8, 300, 1.0), pareto_point(6, 8, 600, 0.8, digest), pareto_point(6, 5, 500, 0.9)).save(
        folder / "pareto" / "pareto.json")
    done = CliRunner().invoke(app, ["report", "--config", str(CONFIG_FILE), "--run", str(folder)])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="session")
def runs_page(random_runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a page about three runs (`report.html`) and of what it compares (`physics.json`).

    The first run has learning curves and counted gates, and an estimate that does not count beside them; the second has
    an estimate; the third one has one of another encoder.
    """
    folder, (first, second, third) = tmp_path_factory.mktemp("page"), random_runs
    specs = [Config.load(one / "config.yaml").encoder for one in random_runs]
    History(loss=(2.0, 1.0), val_loss=(2.0, 1.5)).save(first / "history.json")
    chip_synthesis(specs[0], technology="gates", resources=Resources(nand2=123_456)).save(first / "rtl_gates.json")
    for one, spec, nand2 in ((first, specs[0], 1), (second, specs[1], 234_567), (third, specs[0], 2)):
        sizes(spec, lut=98_765, nand2=nand2).save(one / "size.json")
    write_calq(folder / "calq.csv", CALQ[:, image_order()])
    done = CliRunner().invoke(app, ["report", "--compare", *map(str, random_runs), "--input", str(folder / "calq.csv"),
                                    "--n-modules", "200", "--output", str(folder / "report.html"),
                                    "--json", str(folder / "physics.json")])
    assert done.exit_code == 0 and done.output.endswith(f"{folder / 'report.html'}\n"), done.output
    for made in (first / "history.json", first / "rtl_gates.json", *(one / "size.json" for one in random_runs)):
        made.unlink()
    return folder


def sizes(spec: EncoderSpec, **counts: int) -> Size:
    """Estimates, of a block that has one row for each count."""
    block = [Implementation(name=f"RTL in {unit}", tool="a tool", **{unit: count}) for unit, count in counts.items()]
    return Size(config="a sample", digest=spec.digest(), weights="0" * 16, encoder=cost(spec), block=tuple(block),
                constants=(), decoders=())


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium of the system, driven by Playwright."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        missing("chromium not found (Debian: apt-get install chromium)")
    with import_module("playwright.sync_api").sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


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
