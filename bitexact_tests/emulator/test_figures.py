"""The figures of the frame formats say what the code packs."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import pytest

from bitexact_tests.conftest import REPOSITORY
from emulator import fields
from emulator.figures import Figure, figures, svg

FOLDER = REPOSITORY / "docs" / "frames"
every_figure = pytest.mark.parametrize("figure", list(figures()), ids=lambda figure: figure.name)


@every_figure
def test_figure_in_the_documentation_is_up_to_date(figure: Figure) -> None:
    hint = "run: econ-t chip figures --output docs/frames"
    assert (FOLDER / f"{figure.name}.svg").read_text() == svg(figure), hint


def test_no_figure_is_left_over_and_all_are_shown() -> None:
    names = {figure.name for figure in figures()}
    assert {path.stem for path in FOLDER.glob("*.svg")} == names
    page = (REPOSITORY / "docs" / "chip.md").read_text()
    assert [name for name in names if f"](frames/{name}.svg)" not in page] == []


@every_figure
def test_boxes_cover_every_bit_once(figure: Figure) -> None:
    root = ElementTree.fromstring(svg(figure))
    boxes = [rect for rect in root.iter("{http://www.w3.org/2000/svg}rect") if "stroke" in rect.attrib]
    places = sorted((int(box.attrib["y"]), int(box.attrib["x"]), int(box.attrib["width"])) for box in boxes)
    for (y, x, width), (next_y, next_x, _) in itertools.pairwise(places):
        assert next_x == x + width if next_y == y else next_x == places[0][1]
    n_links = -(-fields.n_bits(figure.layout) // 32)
    assert len({y for y, _, _ in places}) == n_links
    assert sum(width for _, _, width in places) == n_links * (places[-1][1] + places[-1][2] - places[0][1])
