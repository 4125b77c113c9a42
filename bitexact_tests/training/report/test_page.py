"""The report of a run: all its parts, as JSON and as files; in a browser: test_browser.py and test_looks.py."""

from __future__ import annotations

import json
import re
import shutil
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.reports import CONFIG, CONFIG_FILE
from bitexact_tests.samples.results import (
    bit_comparison,
    chip_synthesis,
    pareto_point,
    pareto_scan,
    vector_check,
)
from models.result import Result
from models.trigger_cells import image_order
from models.weights import EncoderWeights
from rtl.results import ConstantSynthesis
from training.__main__ import app
from training.fit.run import Run
from training.physics.comparison import compare
from training.production.toy import generate
from training.report.commands import commands
from training.report.files import all_figures
from training.report.interactive import library
from training.report.page import gather, write_report
from training.report.render import prose
from training.report.sections import sections
from training.report.verdict import headline
from training.results.comparison import Comparison, Options
from training.results.report import Older, ReportContent
from training.results.run import RunSummary

SECTIONS = ["trigger_which_system_at_which_cost_in_links",
            "which_algorithm", "why_this_algorithm", "which_algorithm_for_which_module", "bits_vs_emd",
            "all_metrics_by_links", "modules_on_the_wafer", "profiles", "distributions", "5_links",
            "meaning_of_the_metrics", "this_encoder",
            "latents", "learning_curves", "weights", "bit_exactness", "resources_and_latency", "number_formats"]


class Page(HTMLParser):
    """Ids, links and texts of a page, and whether every element is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [(name, value or "") for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"


def test_page_is_whole_and_needs_nothing_else(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not page.open
    assert set(SECTIONS) <= set(page.ids)
    for name, value in page.links:
        assert value.startswith(("data:,", "data:image/png;base64,", "#")), f"{name}={value}"
        if value.startswith("#"):
            assert value[1:] in page.ids, f"{value} leads nowhere"
    programs = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(programs) == 2, "the library and the programs of the page"
    for program in programs:
        text = text.replace(program, "")
    assert not re.search(r"@import|url\((?!#)", text)
    assert not re.search(r"\bfetch\(|XMLHttpRequest|\bimport\b", programs[1]), "the page asks for nothing"
    figures = [one for one in page.ids if one.startswith("figure_")]
    assert figures == ["figure_latents", "figure_weights", "figure_kernels"]
    assert len(figures) == text.count("<svg") == text.count("<figcaption>")
    explorers = re.findall(r'data-explorer="(\w+)"', text)
    assert explorers == ["pareto", "modules", "profiles", "distributions", "learning"]


def test_page_is_small(run: Path) -> None:
    assert (run / "report.html").stat().st_size < 8_000_000
    assert len(library()) < 1_000_000


def test_text_of_a_user_is_no_markup(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "a &lt;sample&gt;" in text and "AE &lt;even&gt; &amp; flat" in text
    assert "<sample>" not in text and "<even>" not in text


def test_verdict_comes_first(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    shown = text[text.index('id="verdict"') : text.index("<nav>")]
    assert "Emulator = HLS C++ (vitis): 1 stage equal in every bit, 1,000 events." in shown
    assert "Emulator = RTL (Verilog, simulated): 1 stage equal in every bit, 1,000 events." in shown
    assert "Emulator = published test vectors (commit 0123): 9 of 10 frames exact in 2 sets: 1 exact, 1 expl" in shown
    assert re.search(r"<p[^>]*>5 links: .* AE &lt;even&gt; &amp; flat", shown)
    assert shown.index("5 links: ") < shown.index("Emulator = HLS"), "which algorithm, before all else"
    assert "Mean EMD 1.250, median 1.125 of this encoder on 900 of the 1,000 modules that were evaluated." in shown


def test_no_verdict_without_an_autoencoder(run: Path) -> None:
    """Neither in the verdict nor in the table below it: AE was compared on 5 links, not on 2."""
    text = (run / "report.html").read_text(encoding="utf-8")
    shown = text[text.index('id="verdict"') : text.index("<nav>")]
    assert ">2 links: no autoencoder was compared" in shown and "2 links: BC" not in shown
    table = text[text.index('id="which_algorithm"') :]
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", table[: table.index("</table>")])
    assert cells[:6] == ["2", "no AE compared", *["-"] * 4] and cells[6] == "5" and cells[7] != "no AE compared"


def test_every_algorithm_is_explained_where_it_is_named(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    section = text[text.index('id="which_algorithm"') : text.index('id="why_this_algorithm"')]
    table = section[section.index("<caption>The algorithms") :]
    assert re.findall(r"<td[^>]*>([A-Z]{2,3})</td>", table) == ["AE", "BC", "STC", "TS", "RPT"]
    assert "BC</td><td>best choice: the largest cells" in re.sub(r">\s+<", "><", re.sub(r"<td[^>]*>", "<td>", table))
    assert "earth mover" in section


def test_differences_are_told_first(run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    wrong = bit_comparison(CONFIG, Run(folder, CONFIG).weights.digest(), "rtl", "stage hidden_code, event 7").save
    wrong(folder / "compare_rtl.json")
    vector_check("different").save(folder / "vectors.json")
    text = write_report(Run(folder, CONFIG)).read_text(encoding="utf-8")
    assert '<p class="bad">Emulator and RTL (Verilog, simulated) differ: stage hidden_code, event 7</p>' in text
    assert '<p class="bad">Emulator and published test vectors (commit 0123): 9 of 10 frames' in text
    kinds = re.findall(r'<p class="(\w*)"', text[text.index('id="verdict"') : text.index("<nav>")])
    assert kinds.count("bad") >= 2 and "bad" not in kinds[kinds.count("bad") :], "what is wrong stands first"


def test_page_says_how_it_was_made(run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    RunSummary(fingerprint="", encoder_digest="", data_digest="", data="files of <mine>", n_train=1000, n_validation=20,
               n_test=300, epochs=3, best_epoch=2, val_emd=1.2).save(folder / "fingerprint.json")
    text = write_report(Run(folder, CONFIG)).read_text(encoding="utf-8")
    shown = text[text.index('id="how_this_page_was_made"') :]
    values = dict(re.findall(r"<tr><td[^>]*>([^<]*)</td><td[^>]*>([^<]*)</td>", shown))
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC", values["date"])
    assert values["modules of the training"] == (
        "files of &lt;mine&gt;: 1,000 modules to train, 20 to validate, 300 held out; seed of the data 1, of the "
        "training 1")
    assert values["modules of the comparison"] == "300 modules of a &lt;sample&gt;; seed of the bootstrap 1"
    assert f"numpy {np.__version__}" in values["tools"] and values["command"] and values["host"]


def test_best_by_bin_is_the_least_of_the_profiles(run: Path) -> None:
    physics = Comparison.load(run / "physics.json")
    text = (run / "report.html").read_text(encoding="utf-8")
    table = text[text.index('id="which_algorithm_for_which_module"') :]
    shown = re.findall(r"<td[^>]*>([^<]*)</td>", table[: table.index("</table>")])
    expected = []
    for n_elinks, title in ((2, "2, no AE"), (5, "5")):
        expected.append(title)
        for number in range(len(physics.coordinates[0].labels)):
            means = {"AE" if row.algorithm == "AE" else row.name: row.profiles["occupancy"]["emd"].mean[number]
                     for row in physics.schemes if row.n_elinks == n_elinks}
            least, best = min((mean, name) for name, mean in means.items() if mean is not None)
            expected.append(escape(f"{best}: {least:.2f}"))
    assert shown == expected


def test_narrow_columns_have_short_names_of_encoders(run: Path) -> None:
    """AE where it is the only one, shipped AE or AE where there is one of each, else the whole name."""
    physics = Comparison.load(run / "physics.json")
    own = next(one for one in physics.schemes if one.algorithm == "AE")

    def shown(*names: str) -> set[str]:
        encoders = tuple(own.model_copy(update={"name": name, "profiles": best}) for name in names)
        others = tuple(one for one in physics.schemes if one.algorithm != "AE")
        content = gather(Run(run, CONFIG)).model_copy(update={"physics": physics.model_copy(update={
            "schemes": (*others, *encoders), "displays": (), "sample": None})})
        table = next(one for one in sections(content) if one.title == "Which algorithm for which module").tables[0]
        return {cell.text.partition(":")[0] for cell in table.rows[-1][1:]}

    best = {name: {metric: one.model_copy(update={"mean": tuple(0.0 for _ in one.mean)})
                   for metric, one in metrics.items()} for name, metrics in own.profiles.items()}
    assert shown("AE mine") == {"AE"}
    assert shown("AE s (shipped)", "AE mine") == {"AE"}, "the first letter of two equal ones"
    assert shown("AE s (shipped)") == {"AE"}
    assert shown("AE b", "AE c") == {"AE b"}


def test_bits_of_every_implementation_stand_side_by_side(run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    found = bit_comparison(CONFIG, Run(folder, CONFIG).weights.digest(), "rtl", "stage latent_code, event 7")
    stage, = found.backends["rtl"].stages
    changed = stage.model_copy(update={"n_mismatches": 12, "n_events": 3, "n_values": 8000})
    more = changed.model_copy(update={"stage": "hidden_code"})
    found.model_copy(update={"backends": {"rtl": found.backends["rtl"].model_copy(update={
        "stages": (changed, more)})}}).save(folder / "compare_rtl.json")
    section = next(one for one in sections(gather(Run(folder, CONFIG))) if one.title == "Bit-exactness")
    assert list(section.tables[0].titles) == ["stage", "HLS C++ (vitis)", "RTL (Verilog, simulated)"]
    assert [[cell.text for cell in row] for row in section.tables[0].rows] == [
        ["latent_code", "0 of 16,000", "12 of 8,000, in 3 events"], ["hidden_code", "-", "12 of 8,000, in 3 events"]]


def test_a_command_looks_like_one() -> None:
    assert prose("Not run (minutes): econ-t size --run 'my <run>'") == (
        "Not run (minutes): <code>econ-t size --run &#39;my &lt;run&gt;&#39;</code>")
    assert prose("1.0 ± 0.1 of <AE>") == "1.0\u00a0±\u00a00.1 of &lt;AE&gt;"


def test_why_is_what_the_best_scheme_the_next_algorithm_and_the_best_encoder_leave_of_a_module(run: Path) -> None:
    physics = Comparison.load(run / "physics.json")
    text = (run / "report.html").read_text(encoding="utf-8")
    table = text[text.index('id="why_this_algorithm"') :]
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", table[: table.index("</table>")])
    best, *others = physics.table(5)
    after = next(one for one in others if one.algorithm != best.algorithm)
    encoder = next(one for one in physics.table(5) if one.algorithm == "AE")
    assert cells == [text for one in dict.fromkeys(one.name for one in (best, after, encoder)) for text in (
        "5", escape(one), *(f"{physics.scheme(one, 5).metrics[name].mean:.2f}"
                            for name in ("energy_response", "largest_cell", "occupancy_kept", "centroid")))]


def test_everything_can_be_had_as_json(run: Path) -> None:
    found = ReportContent.load(run / "report.json")
    assert found == gather(Run(run, CONFIG)).model_copy(update={"made": found.made})
    weights = EncoderWeights.load(run / "weights.npz", CONFIG.encoder)
    for name, codes in weights.arrays.items():
        np.testing.assert_array_equal(found.weights[name].codes, codes.ravel())
    content = json.loads((run / "report.json").read_text())
    for part, file in (("physics", "physics"), ("metrics", "metrics"), ("history", "history"),
                       ("bit_exactness", "compare"), ("rtl", "compare_rtl"), ("vectors", "vectors")):
        assert content[part] == json.loads((run / f"{file}.json").read_text())
    assert found.hardware.implementations and found.formats["latent sent"] == str(CONFIG.encoder.latent)


def test_without_a_comparison_the_page_says_what_to_run(run: Path, tmp_path: Path) -> None:
    for name in ("weights.npz", "history.json"):
        shutil.copy(run / name, tmp_path)
    text = write_report(Run(tmp_path, CONFIG)).read_text(encoding="utf-8")
    for command in commands(Run(tmp_path, CONFIG)).model_dump().values():
        assert f": <code>{escape(command)}</code>" in text


def test_parts_of_other_weights_are_not_shown(run: Path, tmp_path: Path) -> None:
    """Neither those of weights before, nor those of files that do not say of which weights they are."""
    folder = shutil.copytree(run, tmp_path / "run")
    by = commands(Run(folder, CONFIG))
    parts = {"bit_exactness": ("compare.json", by.bit_exactness), "metrics": ("metrics.json", by.metrics),
             "physics": ("physics.json", by.physics), "rtl": ("compare_rtl.json", by.rtl)}
    assert gather(Run(folder, CONFIG)).older == Older()
    for part, (name, command) in parts.items():
        content = json.loads((run / name).read_text())
        other = {"AE other": "0123456789abcdef"} if part == "physics" else "0123456789abcdef"
        for changed in (content | {"weights": other}, {key: content[key] for key in content if key != "weights"}):
            (folder / name).write_text(json.dumps(changed))
            found = gather(Run(folder, CONFIG))
            assert found.older == Older(
                **{part: f"{name} was made from other weights than those of this run: {command}"})
            assert [one for one in parts if getattr(found, one) is None] == [part]
        (folder / name).write_text(json.dumps(content))
    EncoderWeights.random(CONFIG.encoder, 2).save(folder / "weights.npz")
    text = write_report(Run(folder, CONFIG)).read_text(encoding="utf-8")
    assert "equal in every bit" not in text and "1.250" not in text and "AE &lt;even" not in text
    shown = text[text.index('id="verdict"') : text.index("<nav>")]
    assert shown.count("was made from other weights") == 4
    assert text.count("was made from other weights") == 6, "in the verdict, and where the part would stand"


def test_a_comparison_without_weights_is_of_no_weights(run: Path, tmp_path: Path) -> None:
    for name in ("weights.npz", "history.json"):
        shutil.copy(run / name, tmp_path)
    calq = generate(100, 3)[:, np.argsort(image_order())].astype(np.int64)
    found = compare(calq, {}, [], Options(n_elinks=(2,)), data="no AE set")
    found.save(tmp_path / "physics.json")
    assert gather(Run(tmp_path, CONFIG)).physics == found


@pytest.mark.parametrize(("name", "change", "message"), [
    ("metrics.json", {"emd_mean": "x"}, "emd_mean: Input should be a valid number (given: x)"),
    ("metrics.json", {"emd_median": ...}, "key emd_median is missing"),
    ("history.json", {"loss": 5}, "loss: Input should be a valid array (given: 5)"),
    ("history.json", {"val_loss": []}, "val_loss: Tuple should have at least 1 item"),
    ("compare.json", {"backends": []}, "backends: Input should be an object (given: [])"),
    ("compare.json", {"backends": {"vitis": {}}}, "key backends.vitis.stages is missing"),
    ("physics.json", {"options": {"min_charge": "35"}}, "options.min_charge: Input should be a valid number"),
    ("physics.json", {"schemes": [None]}, "schemes.0: Input should be an object"),
    ("physics.json", {"metrics": {}}, "metric emd is missing"),
    ("physics.json", {"schemes": []}, "on 2 links, no scheme is compared with the best one"),
    ("rtl_xc7.json", {"fold": "1"}, "fold: Input should be a valid integer"),
    ("rtl_xc7.json", {"interval_clocks": 0}, "interval_clocks: Input should be greater than or equal to 1"),
    ("rtl_xc7.json", {"levels": 0}, "levels: Input should be greater than or equal to 1"),
    ("pareto/pareto.json", {"points": [{"nand2": "7"}]}, "key points.0.name is missing"),
    ("pareto/pareto.json", {"points": []}, "0 points are the encoder of the configuration, expected 1"),
    ("constant/constant.json", {"implementations": [{"name": "x"}]}, "key implementations.0.tool is missing"),
])
def test_wrong_types_are_one_line(run: Path, tmp_path: Path, name: str, change: dict[str, Any], message: str) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    made: dict[str, Result] = {
        "rtl_xc7.json": chip_synthesis(CONFIG.encoder), "pareto/pareto.json": pareto_scan(pareto_point(6, 8, 1, 1.0)),
        "constant/constant.json": ConstantSynthesis(digest="", stages=1, implementations=())}
    content = json.loads(made[name].model_dump_json() if name in made else (run / name).read_text())
    content = {key: value for key, value in (content | change).items() if value is not ...}
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(content))
    done = CliRunner().invoke(app, ["report", "--config", str(CONFIG_FILE), "--run", str(folder)])
    assert done.exit_code == 2 and f"{folder / name}: {message}" in done.output, done.output
    assert done.output.count("\n") == 1


def test_the_command_tells_the_verdict_and_where_the_page_is(run: Path, tmp_path: Path) -> None:
    """The path on stdout, unless that is JSON."""
    folder = shutil.copytree(run, tmp_path / "run")
    command = ["report", "--config", str(CONFIG_FILE), "--run", str(folder)]
    found = CliRunner().invoke(app, command), CliRunner().invoke(app, [*command, "--json", "-"])
    told = f"{headline(gather(Run(folder, CONFIG)))}\n"
    assert found[0].stderr == told and found[0].stdout == f"{folder / 'report.html'}\n"
    assert found[1].stderr == told + found[0].stdout
    assert json.loads(found[1].stdout)["config"]["name"] == "econ_t_5elink"
    vector_check("different").save(folder / "vectors.json")
    told = CliRunner().invoke(app, command).stderr.splitlines()
    assert told[0].startswith("WARNING: Emulator and published test vectors") and told[1].startswith("Smallest EMD")


def test_headline_says_what_was_measured_alone(run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "run")

    def told() -> str:
        return headline(gather(Run(folder, CONFIG)))

    # The sample's encoder loses on 5 links, where TS and BC tie; on 2 links, no encoder was compared.
    assert told() == "Smallest EMD: TS or BC (a tie) on 5 links; emulator = vitis = rtl in every bit."
    weights = Run(folder, CONFIG).weights.digest()
    bit_comparison(CONFIG, weights, "rtl", "stage hidden_code, event 7").save(folder / "compare_rtl.json")
    assert told().endswith("; emulator and rtl DIFFER.")
    bit_comparison(CONFIG, "0" * 16).save(folder / "compare.json")
    (folder / "compare_rtl.json").unlink()
    (folder / "physics.json").unlink()
    assert told() == "The algorithms were not compared; bits were not compared."


def test_broken_files_and_formats_are_one_line(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    before = (tmp_path / "run" / "report.html").read_bytes()
    whole = tmp_path / "run" / "compare.json"
    for content, arguments, message in (
            (whole.read_text(), ["--format", "gif"], "--format gif, expected pdf or png"),
            ('{"digest": "0123456789abcdef"}', [], "compare.json: key config is missing")):
        whole.write_text(content)
        done = CliRunner().invoke(app, ["report", "--config", str(CONFIG_FILE), "--run", str(tmp_path / "run"),
                                        *arguments])
        assert done.exit_code == 2 and message in done.output and done.output.count("\n") == 1
    assert (tmp_path / "run" / "report.html").read_bytes() == before


@pytest.mark.parametrize(("figure_format", "magic", "n_elinks"), [("png", b"\x89PNG", 5), ("pdf", b"%PDF", None)])
def test_figures_as_files(run: Path, tmp_path: Path, figure_format: str, magic: bytes, n_elinks: int | None) -> None:
    for name in ("weights.npz", "history.json"):
        shutil.copy(run / name, tmp_path)
    if n_elinks:
        physics = Comparison.load(run / "physics.json")
        physics.model_copy(update={
            "options": physics.options.model_copy(update={"n_elinks": (n_elinks,)}),
            "displays": tuple(physics.displays_of(n_elinks)[:1]),
            "metrics": {name: physics.metrics[name] for name in ("emd", "energy_response", "occupancy_kept")},
        }).save(tmp_path / "physics.json")
    write_report(Run(tmp_path, CONFIG), figures=tmp_path / "plots", figure_format=figure_format, label="Simulation")
    names = {plot.name for plot in all_figures(gather(Run(tmp_path, CONFIG)))}
    assert {"weights", "kernels", "learning_curves"} <= names
    assert not n_elinks or {
        "pareto", "emd_by_links",
        "wafer_5_links_0", "image_5_links_0", "profile_5_links_occupancy", "profile_5_links_module_sum",
        "profile_5_links_layer", "profile_5_links_occupancy_energy_response", "slices_5_links", "histogram_5_links_emd",
    } <= names
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {f"{name}.{figure_format}" for name in names}
    for path in (tmp_path / "plots").iterdir():
        assert path.read_bytes().startswith(magic) and path.stat().st_size > 2000
