"""Terms have one meaning each, and the wordings that the project gave up do not come back."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bitexact_tests.conftest import REPOSITORY

TERMS = REPOSITORY / "docs" / "reference" / "terms.md"
NEEDED = {"module", "block", "run", "metric", "frame", "latent", "code", "CALQ", "EMD", "csim", "register file",
          "dialect", "revision", "trained encoder"}

GIVEN_UP = {
    r"what pays": "default: chosen automatically",
    r"expected it\b": "... is missing",
    r"serves (instead|from now on)": "using ..., cached in ...",
    r"workers died of": "killed N workers",
    r"handed in again": "resubmitted",
    r"\b[Ss]o many\b": "this many",
    r"the first so": "the number of",
    r"written over while": "is also an input; choose another --output",
    r"stand in a row": "the longest path has N ...",
    r"[Ll]eave out cut": "skip partial modules",
    r"Run to begin with": "initialise from this run",
    r"learnt by heart": "the network memorises ...",
    r"not ours to copy": "we may not redistribute",
    r"say the same\b": "agree",
    r"way through the house": "data flow",
    r"that does not count\b": "warm-up",
    r"\bis no (NumPy|YAML|number|charge|layer|encoder)\b": "is not a ...",
    r"[Ff]igures? of merit": "metric",
}
"""Regular expressions of wordings, and what to write instead."""


def texts() -> Iterator[Path]:
    """Sources and pages of the project: not the tests, which quote what they find."""
    listed = subprocess.run(["git", "ls-files", "-z", "*.py", "*.md", "*.html", "Makefile"], cwd=REPOSITORY,
                            capture_output=True, text=True, check=False).stdout.split("\0")
    found = [REPOSITORY / name for name in listed if name] or [*REPOSITORY.rglob("*.py"), *REPOSITORY.rglob("*.md")]
    for path in found:
        inside = path.relative_to(REPOSITORY)
        if inside.parts[0] not in ("bitexact_tests", "runs", ".venv") and path.is_file() and inside.name != "faults.md":
            yield path


def test_every_term_is_explained_once() -> None:
    rows = re.findall(r"^\| (?:<a id=\"\w+\"></a>)?([^|]+?) \|", TERMS.read_text(encoding="utf-8"), re.MULTILINE)[1:]
    names = [name for row in rows for name in re.split(r", | \(|\)", row) if name]
    assert len(set(names)) == len(names)
    assert set(names) >= NEEDED


@pytest.mark.parametrize("wording", GIVEN_UP, ids=str)
def test_a_wording_that_was_given_up_does_not_come_back(wording: str) -> None:
    found = [f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()[:80]}"
             for path in texts()
             for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
             if re.search(wording, line)]
    assert not found, f"write: {GIVEN_UP[wording]}\n" + "\n".join(found)


def test_all_texts_are_read() -> None:
    """Else the wordings would be absent for want of texts."""
    assert len(list(texts())) > 150
