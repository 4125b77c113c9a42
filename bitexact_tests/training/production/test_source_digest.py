"""Digest of code: of every byte of every module that is named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from training.production.source_digest import source_digest


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a module in a package of its own."""
    folder = tmp_path / "some_package"
    (folder / "inner").mkdir(parents=True)
    for name in ("__init__.py", "inner/__init__.py", "inner/deep.py", "other.py"):
        (folder / name).write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("some_package", "some_package.inner"):  # imported by another test, from another folder
        monkeypatch.delitem(sys.modules, name, raising=False)
    return folder


def digest(*names: str) -> str:
    source_digest.cache_clear()
    return source_digest(*names)


@pytest.mark.parametrize(("name", "changes"), [("some_package", True), ("some_package.inner", True),
                                               ("some_package.inner.deep", True), ("some_package.other", False)])
def test_any_change_of_what_is_named(package: Path, name: str, changes: bool) -> None:
    before = digest(name)
    assert digest(name) == before
    (package / "inner" / "deep.py").write_text("value = 2\n")
    assert (digest(name) != before) == changes


def test_moved_lines_and_files_count(package: Path) -> None:
    before = digest("some_package")
    (package / "inner" / "deep.py").rename(package / "inner" / "deeper.py")
    moved = digest("some_package")
    (package / "inner" / "deeper.py").write_text("")
    (package / "other.py").write_text("value = 1\nvalue = 1\n")
    assert len({before, moved, digest("some_package")}) == 3


def test_a_name_without_a_module() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"training\.nothing: no such module"):
        digest("training.nothing")
