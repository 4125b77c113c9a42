"""Files appear whole or not at all: written under a temporary name beside the target, then renamed."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from models.errors import InputError, parsing

_OURS = ".econ-t"
"""In every folder that is made under guard: no name that a user's own folder holds."""


@contextmanager
def made_folder(folder: Path, besides: Sequence[str] = ()) -> Iterator[None]:
    """Make a folder and those above it for the block; after an error, those that are new and empty are removed.

    besides: names of files that do not count and are removed with it.
    """
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # not empty, or another process was faster
            for one in new:
                if {left.name for left in one.iterdir()} <= {*besides}:
                    for name in besides:
                        (one / name).unlink(missing_ok=True)
                one.rmdir()
        raise


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; rename it to `target` if the block succeeds, else delete it.

    The suffix of the target is kept, because writers choose a format by it. Devices, pipes and open files (/dev/stdout)
    are not replaced: what was written whole is copied into them.
    """
    target = Path(target)
    if _is_stream(target):
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / target.name
            whole.touch()
            yield whole
            with whole.open("rb") as source, os.fdopen(os.open(target, os.O_WRONLY | os.O_APPEND), "wb") as stream:
                shutil.copyfileobj(source, stream)
        return
    with made_folder(target.parent), _renamed(target) as temporary:
        yield temporary


@contextmanager
def _renamed(target: Path) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes private files; results are meant to be shared
        temporary.replace(target)
    except OSError as error:
        if error.filename in (None, name):  # a full disk: what the user asked for is the name to show
            error.filename = str(target)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _is_stream(target: Path) -> bool:
    """Links in /dev and /proc are to open files, which have a position: not to be replaced even if they are regular."""
    open_file = target.is_symlink() and target.absolute().parts[1] in ("dev", "proc")
    return target.exists() and not target.is_dir() and (open_file or not target.is_file())


@contextmanager
def atomic_directory(target: str | Path, guarded: bool = False) -> Iterator[Path]:
    """Yield an empty temporary folder beside `target`; it takes the target's place if the block succeeds.

    guarded: for a place that a user chooses. Raises InputError, before anything is done, if there is a folder with
    files that was not made under guard: a user's folder is never replaced.
    """
    target = Path(target)
    if guarded and target.exists():
        if not target.is_dir():
            raise InputError(f"{target}: a file, expected a folder")
        if any(target.iterdir()) and not (target / _OURS).exists():
            raise InputError(f"{target}: a folder with other files, expected a new or an empty one, or one that an "
                             f"earlier run made (with {_OURS} in it)")
    with made_folder(target.parent), _renamed_folder(target, guarded) as temporary:
        yield temporary


@contextmanager
def _renamed_folder(target: Path, guarded: bool) -> Iterator[Path]:
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield temporary
        if guarded:
            (temporary / _OURS).touch()
        temporary.chmod(0o755)
        old = temporary.with_name(f"{temporary.name}-old")
        if target.exists():
            target.replace(old)  # a process killed while it deletes would leave half of the older folder
        temporary.replace(target)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_replaced(target: str | Path, force: bool) -> None:
    """Raise InputError if there is a file at `target`: results that took minutes are only replaced on request.

    Streams, such as `-` for stdout, replace nothing.
    """
    if not force and Path(target).is_file() and not _is_stream(Path(target)):
        raise InputError(f"{target}: exists; choose another name, or give --force to replace it")


def write_text(target: str | Path, text: str) -> None:
    """Write a whole text file atomically; the target `-` is stdout."""
    if str(target) == "-":
        sys.stdout.write(text)
        return
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path, keys: Sequence[str] = (), optional: bool = False) -> dict[str, Any]:
    """A JSON object that has the given keys, or an empty one for an optional file that is not there.

    Raises InputError for any other content.
    """
    if optional and not path.exists():
        return {}
    with parsing(path, "JSON"):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}, expected an object")
    missing = next((key for key in keys if key not in content), None)
    if missing:
        raise InputError(f"{path}: key {missing} is missing, expected {', '.join(keys)}")
    return content
