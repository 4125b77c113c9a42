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


@pytest.mark.parametrize("ground", ["#ffffff", "#171c24"])
def test_encoders_can_be_told_from_the_ground(ground: str) -> None:
    """Contrast of at least 3 for lines and points, in both themes (WCAG 2.1, 1.4.11)."""
    def luminance(colour: str) -> float:
        parts = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
        return sum(weight * (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4)
                   for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))

    for colour in explorer_data(None, {})["encoder_colours"]:
        dark, light = sorted(map(luminance, (colour, ground)))
        assert (light + 0.05) / (dark + 0.05) >= 3, colour
