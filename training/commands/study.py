"""Shared parts of the commands `hybrid` and `search`: configuration from options, and tables of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.config import Config
from models.result import Result


def configured_study(config: Path, epochs: int, data: Sequence[str] | None, settings: Sequence[str] | None) -> Config:
    """Configuration of each training of a study."""
    chosen = Config.load(config).override(data={"files": data}, training={"epochs": epochs})
    return chosen.with_settings(settings or [])


def titled(rows: Sequence[Result], shown: Mapping[str, str]) -> list[dict[str, Any]]:
    """Select the columns in `shown`, under their titles."""
    return [{title: getattr(row, name) for name, title in shown.items()} for row in rows]
