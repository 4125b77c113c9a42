"""Notebooks of the documentation: executed from top to bottom, they give the outputs that are kept in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.notebooks import executed, load

NOTEBOOKS = sorted((REPOSITORY / "docs" / "notebooks").glob("*.ipynb"))


def outputs(notebook: dict[str, Any]) -> list[Any]:
    return [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]


def cell(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "source": source.splitlines(keepends=True), "outputs": []}


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_are_those_that_are_kept(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    again = tmp_path / "again.ipynb"
    done = subprocess.run(
        [sys.executable, "-m", "bitexact_tests.samples.notebooks", str(path), str(again)], cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert outputs(load(again)) == outputs(load(path))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_every_cell_has_been_executed_in_order(path: Path) -> None:
    cells = [one for one in load(path)["cells"] if one["cell_type"] == "code"]
    assert [one["execution_count"] for one in cells] == list(range(1, len(cells) + 1))
    assert all(one["outputs"] for one in cells)


def test_what_is_printed_and_the_last_value_are_outputs() -> None:
    first, second, third = outputs(executed({"cells": [cell("x = 2\nprint(x)\nx + 1"), cell("x = 5"), cell("x")]}))
    assert [one["output_type"] for one in first] == ["stream", "execute_result"]
    assert (first[0]["text"], first[1]["data"]) == (["2\n"], {"text/plain": ["3"]})
    assert second == [] and third[0]["data"]["text/plain"] == ["5"]
    table = cell("class Table:\n    def _repr_html_(self): return '<table>'\nTable()")
    assert json.dumps(outputs(executed({"cells": [table]}))).count("<table>") == 1
