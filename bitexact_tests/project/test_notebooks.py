"""Notebooks of the documentation: executed from top to bottom, they give the outputs that are kept in them.

In a cell with the tag of `DECIMALS`, numbers with decimals may differ as they do between CPUs.
"""

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
from bitexact_tests.samples.outputs import same_but_for_decimals

DECIMALS = "decimals-differ-between-CPUs"
NOTEBOOKS = sorted((REPOSITORY / "docs" / "notebooks").glob("*.ipynb"))


def cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def outputs(notebook: dict[str, Any]) -> list[Any]:
    return [cell["outputs"] for cell in cells(notebook)]


def changed(kept: dict[str, Any], again: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Outputs of cells that are not what the notebook keeps."""
    return [(one["outputs"], two["outputs"]) for one, two in zip(cells(kept), cells(again), strict=True)
            if not _same(one, two["outputs"])]


def _same(cell: dict[str, Any], printed: list[Any]) -> bool:
    if DECIMALS not in cell["metadata"].get("tags", ()):
        return bool(cell["outputs"] == printed)
    return same_but_for_decimals(json.dumps(cell["outputs"]), json.dumps(printed))


def cell(source: str, *tags: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {"tags": list(tags)}, "outputs": [],
            "source": source.splitlines(keepends=True)}


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_are_those_that_are_kept(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    again = tmp_path / "again.ipynb"
    done = subprocess.run(
        [sys.executable, "-m", "bitexact_tests.samples.notebooks", str(path), str(again)], cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert changed(load(path), load(again)) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_every_cell_has_been_executed_in_order(path: Path) -> None:
    found = cells(load(path))
    assert [one["execution_count"] for one in found] == list(range(1, len(found) + 1))
    assert all(one["outputs"] for one in found)


@pytest.mark.parametrize(("then", "tags", "n_changed"), [
    ("print('EMD', 2.31)", [], 1), ("print('EMD', 2.31)", [DECIMALS], 0), ("print('EMD', 3.36)", [DECIMALS], 1),
    ("print('IMD', 2.36)", [DECIMALS], 1), ("print('EMD', 2.36)", [], 0)])
def test_an_output_that_changed_is_found(then: str, tags: list[str], n_changed: int) -> None:
    kept, again = (executed({"cells": [cell(source, *tags)]}) for source in ("print('EMD', 2.36)", then))
    assert len(changed(kept, again)) == n_changed


def test_what_is_printed_and_the_last_value_are_outputs() -> None:
    first, second, third = outputs(executed({"cells": [cell("x = 2\nprint(x)\nx + 1"), cell("x = 5"), cell("x")]}))
    assert [one["output_type"] for one in first] == ["stream", "execute_result"]
    assert (first[0]["text"], first[1]["data"]) == (["2\n"], {"text/plain": ["3"]})
    assert second == [] and third[0]["data"]["text/plain"] == ["5"]
    table = cell("class Table:\n    def _repr_html_(self): return '<table>'\nTable()")
    assert json.dumps(outputs(executed({"cells": [table]}))).count("<table>") == 1
