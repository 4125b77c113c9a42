"""The one exception type that means "the input is wrong", and how a command line reports it."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from models.terminal import spell_signs

_LONGEST = 600
_OWN_PACKAGES = ("models", "emulator", "hls", "rtl", "training", "bitexact_tests")


class InputError(ValueError):
    """Bad input from a user; the message is one line that names the place, the value and what was expected.

    Whatever the input was, the line stays one, printable and short enough to read.

    Examples:
        >>> from models import Config, InputError
        >>> try:
        ...     Config.load("econ_t_6elink")
        ... except InputError as error:
        ...     print(str(error).partition(";")[0])
        econ_t_6elink: no such file and no configuration of this name
    """

    def __init__(self, message: str) -> None:
        line = "".join(c if c.isprintable() else " " for c in message.strip())
        if len(line) > _LONGEST:
            line = f"{line[: _LONGEST - 104]} ... {line[-99:]}"
        super().__init__(line)


class ToolMissing(RuntimeError):
    """An external program or optional package is not there; the message says which and how to get it."""


_DISTRIBUTIONS = {"sklearn": "scikit-learn", "dask_jobqueue": "dask-jobqueue", "umap": "umap-learn"}
"""Of packages that are installed under another name than they are imported by."""


def not_installed(error: ImportError, need: str, extra: str) -> ToolMissing:
    """What to raise for a failed import: `need` says what cannot be done without it, `extra` how to get it.

    It names the package that the environment lacks, which may be one that another package imports, or what is wrong
    with one that is there.
    """
    package = (error.name or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or not package:
        return ToolMissing(f"{need} a package that cannot be imported: {error}")
    return ToolMissing(f"{need} the package {_DISTRIBUTIONS.get(package, package)}: pip install '.[{extra}]'")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint `; did you mean 'x'?` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


class ToolFailed(RuntimeError):
    """An external program ended with an error; the message names it and its first complaint."""


@contextmanager
def parsing(path: object, kind: str) -> Iterator[None]:
    """Turn whatever a library raises at a file that is broken or hostile into an InputError that names the file.

    For calls of libraries alone: what it would hide of our own code is a bug. An InputError passes, and so does a file
    that is missing or that we may not read.
    """
    try:
        yield
    except (InputError, FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:  # no parser lists what it raises: zlib.error, struct.error, RecursionError, ...
        problem = str(error) or type(error).__name__
        raise InputError(f"{path}: not readable as {kind}: {' '.join(problem[:200].split())}") from None


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the errors that a user can cause into one line on stderr and exit status 2."""
    spell_signs()
    try:
        yield
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not an error of ours, and Python must not flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
    except (InputError, ToolMissing, ToolFailed, OSError, ModuleNotFoundError) as error:
        text = str(error)
        if isinstance(error, OSError) and error.filename is not None:
            text = f"{error.filename}: {error.strerror or error}"
        if isinstance(error, ModuleNotFoundError):
            package = (error.name or "").partition(".")[0]
            if package in ("", *_OWN_PACKAGES):
                raise  # a mistake of ours, not an installation without extras
            text = f"package {package} is not installed: pip install '.[training,data,rtl,search]'"
        text = " ".join(text.split())
        sys.stderr.write(f"error: {text}\n")
        raise SystemExit(2) from None
