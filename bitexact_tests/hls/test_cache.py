"""The folder of compiled projects."""

from __future__ import annotations

from pathlib import Path

import pytest

from hls.cache import cache_root


def test_cache_does_not_depend_on_where_its_programs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for own, users, expected in (("cache", "users", "cache"), ("", "users", "users/econ-t-codesign"),
                                 ("", "", "home/.cache/econ-t-codesign")):
        monkeypatch.setenv("ECON_T_CACHE", own)
        monkeypatch.setenv("XDG_CACHE_HOME", users)
        assert cache_root() == tmp_path / expected
