"""Words that messages have in common."""

from __future__ import annotations


def counted(n: int, noun: str) -> str:
    """`1 link`, `2 links`, `3,564 rows`."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def split_command(text: str) -> tuple[str, str]:
    """What a text says, and the command of econ-t with which it ends: `not run (minutes): econ-t size ...`; or none."""
    said, found, command = text.partition(": econ-t ")
    return said, f"econ-t {command}" if found else ""
