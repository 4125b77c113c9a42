"""The shipped sets themselves: their table is that of their cards, and their cards are reproduced."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from models import shipped
from models.command_line import econ_t
from training.fit.run import Run
from training.report.cards import cards_table, compact_table
from training.results.card import Card

PAGE = REPOSITORY / "docs" / "shipped-weights.md"


@pytest.mark.parametrize(("part", "table"), [("shipped sets", cards_table), ("compact decoders", compact_table)],
                         ids=["sets", "compact"])
def test_the_tables_are_those_of_the_cards(part: str, table: Callable[[Sequence[Card]], str]) -> None:
    (shown,) = re.findall(rf"<!-- {part} -->\n(.*?)\n<!-- end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    cards = [Run(shipped.FOLDER / name).card for name in shipped.names()]
    assert shown == table(cards), f"expected what {table.__module__}.{table.__name__} gives"


def test_the_readme_has_the_values_of_the_cards() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| (\d) \| \d \|.* (\d\.\d+), (\d\.\d+), (\d\.\d+) \|$", text, re.MULTILINE)
    expected = []
    for links in range(1, 6):
        card = Run(shipped.FOLDER / f"econ_t_{links}elink").card
        samples = [card.sample("held_out"), card.sample("sparse"), card.sample("generated")]
        expected.append((str(links), *(f"{one.emd_mean:.3f}" for one in samples if one)))
    assert shown == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped.names())
def test_the_card_is_reproduced_on_the_held_out_published_modules(
    name: str, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    compact = [f"{name}/{one.name}.npz" for one in Run(name).card.compact]
    assert compact
    published = str(shared_data / "CALQ_output.csv")
    for decoder in ([], *(["--decoder", one] for one in compact)):
        done = CliRunner().invoke(econ_t(), ["evaluate", "--weights", name, "--input", published, "--held-out",
                                             "--check-card", *decoder])
        assert done.exit_code == 0, done.output
