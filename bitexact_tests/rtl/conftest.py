"""Fixtures of the RTL."""

from __future__ import annotations

import pytest

from bitexact_tests.conftest import missing
from models.errors import ToolMissing
from rtl.mapping import yosys


@pytest.fixture
def _yosys() -> None:
    """Skip the test where Yosys is missing."""
    try:
        yosys.version()
    except ToolMissing as error:
        missing(str(error))
