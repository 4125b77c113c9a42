"""What the interactive plots are drawn from."""

from __future__ import annotations

import json

from training.report.interactive import as_json, explorer_data


def test_json_cannot_end_its_element() -> None:
    text = as_json({"name": "</script><b>&"})
    assert "<" not in text and json.loads(text) == {"name": "</script><b>&"}


def test_wafer_is_closed_outlines_of_all_cells() -> None:
    data = explorer_data(None, {}, 5)
    assert len(data["outlines"]) == 48 and all(ring[0] == ring[-1] and len(ring) > 8 for ring in data["outlines"])
    assert data["physics"] is None and data["own_links"] == 5
