"""Every block of code in the documentation runs as it stands, one after the other, in a copy of the project.

On pages where a block has a title ("takes minutes", "needs ...") programs stand first on PATH that are not those of a
user: a `python` that gives commands smaller numbers (`samples/shortened.py`), vendor tools and a batch system that do
nothing but what these pages need of them.

A block of text titled "output" shows what the block before it prints: the test compares them. `...` stands for what is
left out, as in doctest; only times may differ, and decimals where the title says so.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import click
import pytest
import yaml
from typer.main import get_command

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.fuzz.readers import catalogue
from bitexact_tests.samples import batch_system, shortened, vendor_tools
from bitexact_tests.samples.outputs import same_but_for_decimals, same_output
from models.calq_io import write_calq
from models.command_line import econ_t
from models.config import Config
from models.weights import EncoderWeights
from training.production.toy import generate

PAGES = sorted([*(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "README.md"])
BLOCK = re.compile(r"^```(\w*)(?: +([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NO_CODE = {"text", "yaml"}
OUTPUTS = {'title="output"': same_output, 'title="output, decimals differ between CPUs"': same_but_for_decimals}
"""Titles of outputs, and what compares them with what is printed."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what stands behind it, the code, and what the page says that it prints."""

    language: str
    title: str
    code: str
    output: str | None = None
    same: Callable[[str, str], bool] = same_output


def blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    for block in (Block(*groups) for groups in BLOCK.findall(page.read_text(encoding="utf-8"))):
        if block.title in OUTPUTS:
            assert found and found[-1].language in ("bash", "python"), f"{page}: output of no code: {block.code}"
            found[-1] = replace(found[-1], output=block.code, same=OUTPUTS[block.title])
        else:
            found.append(block)
    return found


def code(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language not in NO_CODE]


def takes_long(page: Path) -> bool:
    return any(block.title for block in code(page))


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def project(folder: Path) -> Path:
    """A copy of the project."""
    copytree(REPOSITORY, folder, ignore=ignore_patterns(".*", "runs", "site"))
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What long pages take for granted: other runs, files of charges, vendor tools, a batch system, short commands."""
    root = tmp_path_factory.mktemp("prepared")
    clone = project(root / "main")
    (root / "shared" / "data").mkdir(parents=True)
    for file in ("CALQ_output.csv", "jet_pt20_eta15-30_0PU.csv"):
        write_calq(root / "shared" / "data" / file, generate(400, 1))
    write_calq(clone / "calq.csv", generate(400, 2))
    write_calq(clone / "many.csv", generate(1300, 3))  # as many as the gates are simulated on at least
    for number in (1, 2):
        (clone / f"ntuple_{number}.root").write_bytes(catalogue()["ntuple"].good)
    small = yaml.safe_load((clone / "configs" / "econ_t_5elink.yaml").read_text(encoding="utf-8"))
    for layer, size in (("conv", {"filters": 2}), ("dense", {"outputs": 3})):
        small["encoder"][layer] |= size
    (clone / "small.yaml").write_text(yaml.safe_dump(small), encoding="utf-8")
    EncoderWeights.random(Config.load(clone / "small.yaml").encoder, 1).save(clone / "small.npz")
    for folder in ("jobs", "bin"):
        (root / folder).mkdir()
    shortened.install(root / "bin")
    vendor_tools.install(root / "bin", vendor_tools.NAMES)
    batch_system.install(root / "bin", root / "jobs", batch_system.COMMANDS["htcondor"], slots=2)
    for run in ("econ_t_2elink", "econ_t_5elink"):
        run_block(Block("bash", "", f"econ-t train --config {run} --output runs/{run}"), clone)
    for other in ("a", "b"):
        copytree(clone / "runs" / "econ_t_5elink", clone / "runs" / other)
    return root


def run_block(block: Block, folder: Path) -> None:
    """Run code in a folder as a user would who has the environment of the tests, and the programs of `../bin` first."""
    first = folder.parent / "bin"
    path = [str(first), str(Path(sys.executable).parent), os.environ["PATH"]]
    # What was given to a `make` that runs the tests is not for the one in the block.
    outer = {"MFLAGS", "MAKELEVEL", *re.findall(r"(\w+)=", os.environ.get("MAKEFLAGS", ""))}
    environment = {name: value for name, value in os.environ.items() if name not in outer} | {
        "PATH": os.pathsep.join(path), "PYTHONPATH": str(folder), "READER": "json",
        "MAKEFLAGS": f"VENV={sys.prefix} READY="}
    if (first / "python").exists():
        environment["MAKEFLAGS"] += f" PYTHON={first / 'python'}"
    command = ["bash", "-euo", "pipefail", "-c"] if block.language == "bash" else [sys.executable, "-c"]
    done = subprocess.run([*command, block.code], cwd=folder, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{block.code}\n{done.stdout[-4000:]}"
    if block.output is not None:
        assert block.same(block.output, done.stdout), f"{block.code}\nprints\n{done.stdout}\nand not\n{block.output}"


@pytest.mark.parametrize("page", [
    pytest.param(page, marks=[pytest.mark.slow] if takes_long(page) or len(code(page)) > 8 else [], id=name(page))
    for page in PAGES if code(page)])
def test_blocks_run(page: Path, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if takes_long(page):
        copytree(request.getfixturevalue("prepared"), tmp_path, symlinks=True, dirs_exist_ok=True)
    else:
        project(tmp_path / "main")
    for block in code(page):
        run_block(block, tmp_path / "main")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_says_what_it_is(page: Path) -> None:
    known = NO_CODE | {"bash", "python"}
    assert [block for block in blocks(page) if block.language not in known] == []


@pytest.mark.parametrize("words", shortened.ADDED)
def test_every_command_that_is_made_short_stands_on_a_long_page(words: str) -> None:
    """Or in the Makefile, for the pages that call it."""
    text = "\n".join([block.code for page in PAGES if takes_long(page) for block in code(page)]
                     + [(REPOSITORY / "Makefile").read_text()])
    assert any(set(words.split()) <= set(line.split()) for line in text.replace("\\\n", " ").splitlines())


@pytest.mark.parametrize("words", [words for words in shortened.ADDED if not words.startswith("pytest")])
def test_options_that_are_added_exist(words: str) -> None:
    command: Any = get_command(econ_t())
    context = click.Context(command)
    for word in words.split():
        if not word.startswith("--"):
            _, command, _ = command.resolve_command(context, [word])
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    assert {word for word in shlex.split(shortened.ADDED[words]) if word.startswith("--")} <= known


@pytest.mark.parametrize("program", [["-m", "training"], ["econ-t"]], ids=" ".join)
def test_only_options_are_added(program: list[str]) -> None:
    given = [*program, "train", "--epochs", "110", "--data", "calq.csv"]
    arguments, variables = shortened.shortened(given)
    assert arguments[: len(given)] == given and arguments[len(given) :][:2] == ["--epochs", "1"] and not variables


@pytest.mark.parametrize("given", [
    ["-c", "print(1)"], ["-m", "emulator", "encode"], ["script.py", "train"], ["econ-t", "check"],
    ["-m", "training", "compare", "--run", "train"]], ids=" ".join)
def test_other_commands_stay_as_they_are(given: list[str]) -> None:
    assert shortened.shortened(given) == (given, {})


@pytest.mark.parametrize(("told", "same"), [
    ("EMD 1.25 after 3.5 s\n", True), ("EMD 1.25\n...\n4 V\n", False), ("...1.25...\n", True),
    ("EMD   1.25 after 12 s\n", True), ("EMD 1.25 after a while\n", False), ("EMD 1.26 after 3.5 s\n", False),
    ("", False)])
def test_output_that_differs_is_found(told: str, same: bool) -> None:
    assert same_output(told, "EMD 1.25 after 4 s\n") is same
    block = Block("bash", "", "echo EMD 1.25 after 4 s >&2", told)
    if same:
        run_block(block, REPOSITORY)
    else:
        with pytest.raises(AssertionError, match="prints"):
            run_block(block, REPOSITORY)


@pytest.mark.parametrize(("told", "same"), [
    ("AE 2.36 of 444\n", True), ("AE 2.2 ...\n", True), ("AE 2.00 of 444\n", False), ("AE 2.36 of 443\n", False),
    ("AE 2 of 444\n", False), ("BC 2.36 of 444\n", False), ("AE 2.36", False), ("...", True), ("", False)])
def test_decimals_of_a_training_may_differ_a_little_and_nothing_else(told: str, same: bool) -> None:
    assert same_but_for_decimals(told, "AE 2.31 of 444\n") is same


def test_every_step_of_the_tutorial_shows_its_output() -> None:
    steps = code(REPOSITORY / "docs" / "tutorial.md")
    assert "make setup" in steps[0].code and [step.code for step in steps if step.output is None] == []


def test_block_that_fails_is_shown(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"No such option.*--epoks"):
        run_block(Block("bash", "", "econ-t train --epoks 3; true"), REPOSITORY)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
