"""Every block of code in the documentation runs: what takes long with smaller numbers, vendor tools as stand-ins.

The blocks of a page run one after the other in a copy of the project. On pages where a block has a title ("takes
minutes", "needs ...") the configurations are short ones, and SMALLER applies to the code.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
import yaml

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.fuzz.readers import catalogue
from bitexact_tests.samples import batch_system
from models.calq_io import write_calq
from models.config import Config
from models.weights import EncoderWeights
from training.production.toy import generate

PAGES = sorted([*(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "README.md"])
BLOCK = re.compile(r"^```(\w*)(?: +([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NO_CODE = {"text", "yaml"}
SMALLER = {
    r"git clone <this repository> && cd <it>": "ls Makefile",
    r"--epochs \d+": "--epochs 1",
    r"training\.(epochs|passes)=\d+": r"training.\1=1",
    r"\.members=\d+": ".members=2",
    r"\.width=\d+": ".width=24",
    r"\.pool=\d+": ".pool=400",
    r"--(best|n-trained|trials|events) \d+": r"--\1 1",
    r"--n-pairs \d+ ": "",
    r"n_workers: \d+": "n_workers: 1",
    r"_emd6\b": "",
    r'shapes=".*"': "shapes=8x8_c8_S2_tele",
    r"rtl constant": "rtl constant --no-synthesise",
    r"emd-loss ": "emd-loss --epochs 1 --n-pairs 400 ",
    r"config=\S+ weights=\S+ input=\S+": "config=small.yaml weights=small.npz input=many.csv",
    r"econ-t seu": "econ-t seu --no-rtl --n-events 20 --n-emd 12",
    r"for n in 2 3 5;": "for n in 2;",
    r"for loss in .*;": "for loss in emd_loss1;",
    r"make (CONFIG=\S+)": r"make train hls compare \1 BACKEND=catapult",
    r"rtl formal": "rtl formal --only 'mask of 16 bits'",
    r"make data\b": "make data N=100",
    r"make test\b": "make test ARGS=bitexact_tests/models/test_fixed_point.py",
    r"make bench .*": 'make bench ARGS="--benchmark-disable -k ntuple_to_calq"',
    r"make fuzz .*": "make fuzz SECONDS=1 READER=json",
    r"make kill-test .*": 'make kill-test KILLS=1 ARGS="-k report"',
    r"make matrix\b": 'make matrix ARGS="--config econ_t_3elink --family zero --column vitis --events 100"',
    r"make faults": 'make faults ARGS="--only 1"',
}
"""What makes a block take minutes, and what stands there in the test."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what stands behind it, and the code."""

    language: str
    title: str
    code: str


def blocks(page: Path) -> list[Block]:
    return [Block(*groups) for groups in BLOCK.findall(page.read_text(encoding="utf-8"))]


def code(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language not in NO_CODE]


def takes_long(page: Path) -> bool:
    return any(block.title for block in code(page))


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def smaller(text: str) -> str:
    for pattern, instead in SMALLER.items():
        text = re.sub(pattern, instead, text)
    return text


def short_config(path: Path) -> str:
    """A configuration of the project that trains in seconds."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["data"] = {"source": "toy", "n_modules": 400}
    content["training"] = content.get("training", {}) | {
        "epochs": 2, "decoder": {"width": 16, "layers": 1}, "augment": {"pool": 400}}
    return yaml.safe_dump(content, sort_keys=False)


def project(folder: Path, short: bool = False) -> Path:
    """A copy of the project; `short`: with configurations that train in seconds."""
    copytree(REPOSITORY, folder, ignore=ignore_patterns(".*", "runs", "site"))
    (folder / ".venv").symlink_to(sys.prefix)
    for path in (folder / "configs").glob("*.yaml") if short else ():
        path.write_text(short_config(path), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pages take for granted: a run of `make`, other runs, files of charges, vendor tools, a batch system."""
    root = tmp_path_factory.mktemp("prepared")
    clone = project(root / "main", short=True)
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
    for run in ("econ_t_2elink", "econ_t_5elink"):
        run_block(Block("bash", "", f"econ-t train --config {run} --output runs/{run}"), clone)
    for other in ("a", "b"):
        copytree(clone / "runs" / "econ_t_5elink", clone / "runs" / other)
    for folder in ("jobs", "bin"):
        (root / folder).mkdir()
    vendor = '#!/bin/sh\nfor script; do :; done; test -f "$script"\n'
    for tool in ("vitis-run", "vivado", "catapult"):
        (root / "bin" / tool).write_text(vendor, encoding="utf-8")
        (root / "bin" / tool).chmod(0o755)
    batch_system.install(root / "bin", root / "jobs", batch_system.COMMANDS["htcondor"])
    return root


def run_block(block: Block, folder: Path) -> None:
    """Run code in a folder as a user would who has the environment of the tests, with the modules of this folder."""
    path = [str(folder.parent / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    # What was given to a `make` that runs the tests is not for the one in the block.
    outer = {"MFLAGS", "MAKELEVEL", *re.findall(r"(\w+)=", os.environ.get("MAKEFLAGS", ""))}
    environment = {name: value for name, value in os.environ.items() if name not in outer} | {
        "PATH": os.pathsep.join(path), "MAKEFLAGS": f"VENV={sys.prefix} READY=", "PYTHONPATH": str(folder)}
    command = ["bash", "-euo", "pipefail", "-c"] if block.language == "bash" else [sys.executable, "-c"]
    done = subprocess.run([*command, block.code], cwd=folder, env=environment, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, f"{block.code}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


@pytest.mark.parametrize("page", [
    pytest.param(page, marks=[pytest.mark.slow] if takes_long(page) or len(code(page)) > 8 else [], id=name(page))
    for page in PAGES if code(page)])
def test_blocks_run(page: Path, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    long = takes_long(page)
    if long:
        copytree(request.getfixturevalue("prepared"), tmp_path, symlinks=True, dirs_exist_ok=True)
    folder = tmp_path / "main" if long else project(tmp_path / "main")
    for block in code(page):
        run_block(Block(block.language, "", smaller(block.code)) if long else block, folder)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_says_what_it_is(page: Path) -> None:
    known = NO_CODE | {"bash", "python"}
    assert [block for block in blocks(page) if block.language not in known] == []


def test_all_that_is_made_smaller_stands_somewhere() -> None:
    text = "\n".join(block.code for page in PAGES if takes_long(page) for block in code(page))
    assert [pattern for pattern in SMALLER if not re.search(pattern, text)] == []


def test_block_that_fails_is_shown(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"No such option.*--epoks"):
        run_block(Block("bash", "", "econ-t train --epoks 3; true"), REPOSITORY)


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
    assert "econ-t train" in commands_page and "econ-t chip decode" in commands_page and "--retrain" in commands_page
    assert ">EncoderSpec<" in (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="https?://', commands_page)
