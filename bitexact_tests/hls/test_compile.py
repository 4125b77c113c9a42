"""The compiler that is missing, and the one that finds an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from hls.cache import compiled
from hls.compile import build, find_compiler
from models.config import Config
from models.errors import ToolFailed, ToolMissing


def test_missing_compiler_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ECON_T_CACHE", str(tmp_path))
    with pytest.raises(ToolMissing, match=r"g\+\+ not found: .*install g\+\+"):
        find_compiler()
    with pytest.raises(ToolMissing, match=r"g\+\+ not found"):
        compiled(Config.load("econ_t_5elink"), "vitis")
    assert not list(tmp_path.iterdir())


def test_compile_error_names_the_line(gxx: str, tmp_path: Path) -> None:
    for name in ("econ_t.cpp", "econ_t_csim.cpp", "firmware/encoder.cpp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("int broken = ;\n")
    with pytest.raises(ToolFailed, match=r"econ_t\.cpp:1:14: error"):
        build(tmp_path, "vitis", gxx)
