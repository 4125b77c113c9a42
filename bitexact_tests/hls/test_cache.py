"""The folder of compiled projects."""

from __future__ import annotations

from pathlib import Path

import pytest

from hls import cache
from hls.cache import cache_root, compiled
from models.config import Config


def test_cache_does_not_depend_on_where_its_programs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for own, users, expected in (("cache", "users", "cache"), ("", "users", "users/econ-t-codesign"),
                                 ("", "", "home/.cache/econ-t-codesign")):
        monkeypatch.setenv("ECON_T_CACHE", own)
        monkeypatch.setenv("XDG_CACHE_HOME", users)
        assert cache_root() == tmp_path / expected


def test_link_counts_share_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless they have another number format: plain QKeras arithmetic rounds to the bits of its links."""
    built: list[int] = []
    monkeypatch.setenv("ECON_T_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "find_compiler", lambda: "true")
    monkeypatch.setattr(cache, "convert", lambda config, folder, backend: built.append(config.encoder.n_elinks))
    monkeypatch.setattr(cache, "build", lambda folder, backend, compiler: (folder / "csim").touch())
    for arithmetic, programs in (("econ_t", 1), ("qkeras", 5)):
        assert len({compiled(Config.load(f"{arithmetic}_{n}elink"), "catapult") for n in range(1, 6)}) == programs
    assert built == [5, 1, 2, 3, 4, 5]
