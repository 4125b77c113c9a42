"""The shipped sets themselves: their table is that of their cards, and their cards are reproduced."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from models import shipped
from models.command_line import econ_t
from training.fit.run import Run
from training.report.cards import cards_table

PAGE = REPOSITORY / "docs" / "shipped-weights.md"


def test_the_table_is_that_of_the_cards() -> None:
    (shown,) = re.findall(r"<!-- shipped sets -->\n(.*?)\n<!-- end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    cards = [Run(shipped.FOLDER / name).card for name in shipped.names()]
    assert shown == cards_table(cards), "expected what training.report.cards.cards_table gives"


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped.names())
def test_the_card_is_reproduced_on_the_held_out_published_modules(
    name: str, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(econ_t(), ["evaluate", "--weights", name, "--input", str(shared_data / "CALQ_output.csv"),
                                         "--held-out", "--check-card"])
    assert done.exit_code == 0, done.output
