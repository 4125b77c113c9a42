"""The page of the shipped sets: its table is that of their cards."""

from __future__ import annotations

import re

from bitexact_tests.conftest import REPOSITORY
from models import shipped
from training.fit.run import Run
from training.report.cards import cards_table

PAGE = REPOSITORY / "docs" / "shipped-weights.md"


def test_the_table_is_that_of_the_cards() -> None:
    (shown,) = re.findall(r"<!-- shipped sets -->\n(.*?)\n<!-- end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert shown == cards_table([Run(shipped.FOLDER / name).card for name in shipped.names()]), "econ-t weights list"
