"""Words that messages have in common."""

from __future__ import annotations


def counted(n: int, noun: str) -> str:
    """`1 link`, `2 links`, `3,564 rows`."""
    return f"{n:,} {noun}{'s' * (n != 1)}"
