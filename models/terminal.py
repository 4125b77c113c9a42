"""Output on a terminal that has no UTF-8: signs are spelt in ASCII, so that no command ends in the middle of a line."""

from __future__ import annotations

import codecs
import io
import sys

SPELT = {"±": "+-", "≤": "<=", "σ": "sigma", "η": "eta", "φ": "phi", "√": "sqrt", "⊕": "(+)"}
"""The signs of our own texts; what comes from names of files is escaped."""


def _spell(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    sign = error.object[error.start]
    if sign in SPELT:
        return SPELT[sign], error.start + 1
    error.end = error.start + 1  # one sign at a time: the next one may be ours
    return codecs.backslashreplace_errors(error)


codecs.register_error("spelt", _spell)


def spell_signs() -> None:
    """Let stdout spell what its encoding does not have."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="spelt")
