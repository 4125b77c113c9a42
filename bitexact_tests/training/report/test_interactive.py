"""What the interactive plots are drawn from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.report.interactive import as_json, explorer_data, library


def test_library_is_kept_and_needs_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for cache in (tmp_path / "cache", tmp_path / "cache", Path("/dev/null/cache")):
        monkeypatch.setenv("ECON_T_CACHE", str(cache))
        library.cache_clear()
        made.append(library())
    library.cache_clear()
    assert made[0] == made[1] == made[2] and "vegaEmbed" in made[0] and "</script" not in made[0]
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".js"]


def test_json_cannot_end_its_element() -> None:
    text = as_json({"name": "</script><b>&"})
    assert "<" not in text and json.loads(text) == {"name": "</script><b>&"}


def test_wafer_is_closed_outlines_of_all_cells() -> None:
    data = explorer_data(None, {}, 5)
    assert len(data["outlines"]) == 48 and all(ring[0] == ring[-1] and len(ring) > 8 for ring in data["outlines"])
    assert data["physics"] is None and data["own_links"] == 5
