"""Every block of code in the documentation runs; those of a title ("takes minutes", "needs ...") name real options."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer.main

from bitexact_tests.conftest import REPOSITORY

PAGES = sorted([*(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "README.md"])
BLOCK = re.compile(r"^```(\w*)(?: +([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NO_CODE = {"text", "mermaid", "yaml"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what stands behind it, and the code."""

    language: str
    title: str
    code: str


def blocks(page: Path) -> list[Block]:
    return [Block(*groups) for groups in BLOCK.findall(page.read_text(encoding="utf-8"))]


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_says_what_it_is(page: Path) -> None:
    known = NO_CODE | {"bash", "python"}
    assert [block for block in blocks(page) if block.language not in known] == []


@pytest.mark.parametrize("page", [page for page in PAGES if any(
    block.language in ("bash", "python") and not block.title for block in blocks(page))], ids=name)
def test_blocks_run(page: Path, tmp_path: Path) -> None:
    """The blocks of a page, one after the other in an empty folder that has the project's configurations."""
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    environment = os.environ | {
        "PYTHONPATH": str(REPOSITORY), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for block in blocks(page):
        if block.title or block.language in NO_CODE:
            continue
        command = ["bash", "-euo", "pipefail", "-c"] if block.language == "bash" else [sys.executable, "-c"]
        done = subprocess.run([*command, block.code], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{name(page)}:\n{block.code}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def commands(block: Block) -> list[list[str]]:
    """The words of each `python -m ...` of a shell block, without what the shell does around it."""
    text = block.code.replace("\\\n", " ")
    found = [shlex.split(re.split(r"[;|>)]|&&", line)[0], comments=True)
             for line in re.findall(r"python -m ([^\n]*)", text)]
    return [[re.sub(r"\$\{?\w+\}?", "1", word) for word in words if not word.startswith(("$@", "${start", "["))]
            for words in found]


@pytest.mark.parametrize("page", [page for page in PAGES if any(block.title for block in blocks(page))], ids=name)
def test_titled_commands_are_known(page: Path) -> None:
    for block in blocks(page):
        if block.language != "bash" or not block.title:
            continue
        for package, *words in commands(block):
            if "..." in words or package in ("pytest", "venv"):
                continue
            check(package, words)
        for target in re.findall(r"^make ([a-z][a-z-]*)", block.code, re.MULTILINE):
            makefile = (REPOSITORY / "Makefile").read_text()
            assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE), f"{name(page)}: make {target}"


def check(package: str, words: list[str]) -> None:
    """Parse a command line as the program would, without running it; a file that is missing is no fault here."""
    command = typer.main.get_command(importlib.import_module(f"{package}.__main__").app)
    while hasattr(command, "commands") and words:
        assert words[0] in command.commands, f"python -m {package}: no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    used = {word.split("=")[0] for word in words if word.startswith("-") and word != "-" and not word[1:2].isdigit()}
    assert used <= known, f"python -m {package} {command.name}: {used - known}"


def test_check_refuses_an_unknown_option() -> None:
    with pytest.raises(AssertionError, match="--epoks"):
        check("training", ["train", "--config", "c.yaml", "--epoks", "3"])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_site_builds_without_network_or_warning(tmp_path: Path) -> None:
    """mkdocs is strict: a page that is not in the navigation, a broken link or reference fails."""
    site = tmp_path / "site"
    subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)],
                   cwd=REPOSITORY, check=True, capture_output=True)
    commands_page = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert "python -m training train" in commands_page and "--retrain" in commands_page
    assert ">EncoderSpec<" in (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="https?://', commands_page)
