"""Output where the terminal has no UTF-8."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from bitexact_tests.conftest import REPOSITORY
from models.terminal import SPELT


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "cp437", "utf-8"])
def test_every_terminal_shows_every_sign(encoding: str) -> None:
    text = "1 ± 2 ≤ 3 of größe-漢±.csv, σ"
    code = f"from models.errors import one_line_errors\nwith one_line_errors(): print({text!r})"
    result = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, check=False,
                            env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"})
    assert result.returncode == 0, result.stderr
    assert result.stdout.decode(encoding).strip() == {
        "ascii": r"1 +- 2 <= 3 of gr\xf6\xdfe-\u6f22+-.csv, sigma",
        "iso-8859-1": r"1 ± 2 <= 3 of größe-\u6f22±.csv, sigma",
        "cp437": r"1 ± 2 ≤ 3 of größe-\u6f22±.csv, σ",
        "utf-8": text,
    }[encoding]


def test_every_sign_of_the_project_has_a_spelling() -> None:
    signs = set()
    for package in ("models", "emulator", "hls", "rtl", "training"):
        for path in (REPOSITORY / package).rglob("*.py"):
            signs |= set(re.findall(r"[^\x00-\x7f]", path.read_text(encoding="utf-8")))
    assert signs == set(SPELT)
