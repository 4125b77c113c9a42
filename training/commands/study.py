"""Shared part of the commands `hybrid` and `search`: configuration from options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.config import Config


def configured_study(config: Path, epochs: int, data: Sequence[str] | None, settings: Sequence[str] | None) -> Config:
    """Configuration of each training of a study."""
    chosen = Config.load(config).override(data={"files": data}, training={"epochs": epochs})
    return chosen.with_settings(settings or [])
