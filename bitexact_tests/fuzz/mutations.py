"""Bad files out of good ones: by what the file says (arrays, words) and by its bytes.

Every choice comes from one function, so that hypothesis and atheris make the same files by their own means.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Pick = Callable[[int], int]
"""A number from 0 to below the given one."""
Arrays = dict[str, npt.NDArray[Any]]
_T = TypeVar("_T")

WORDS = (
    b"", b"0", b"-1", b"-0", b"1.5", b"1e400", b"nan", b"NaN", b"-inf", b"null", b"~", b"true", b"4194304",
    b"4294967296", b"18446744073709551616", b"9" * 5000, b"0x10", b"0b1", b"1_000", b"12:30:00", b"2020-01-01", b" 7 ",
    b'"', b'"7"', b"'",
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", "\u0665".encode(), "\u00b2".encode(), "\U0001f40d".encode(), b"\r", b"\n\n",
    b",,,,", b"{}", b"[]", b"[[[[", b"{a: {b: [c", b"? x", b"*a", b"&a [*a]", b"!!python/object:os.system x",
    b"!!binary x", b"!!timestamp x", b"!!float x", b"!!int 0x", b"<<: 3", b"- -", b"CALQ_0", b"RX_DATA_0", b"%s",
    b"../../x", b"A" * 70_000,
)  # fmt: skip
"""What stands in a text where something else was expected."""
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF,
           0xFFFFFFFFFFFFFFFF)
"""What a length or an offset in a binary file claims to be."""
_WORD = re.compile(rb"[^\s,:\[\]{}]+")


def one(pick: Pick, options: Sequence[_T]) -> _T:
    """One of several."""
    return options[pick(len(options))]


def edit_bytes(content: bytes, pick: Pick) -> bytes:
    """One to four edits of a file that know nothing of its format but what a number is."""
    data = bytearray(content)
    for _ in range(1 + pick(4)):
        at = pick(len(data) + 1)
        length = min(1 << pick(12), len(data) - at)
        kind = pick(6)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            data[at : at + 1] = bytes([pick(256)])
        elif kind == 2:
            size = 1 << pick(4)
            data[at : at + size] = (one(pick, NUMBERS) % (1 << 8 * size)).to_bytes(size, one(pick, ("little", "big")))
        elif kind == 3:
            del data[at : at + length]
        elif kind == 4:
            data[at:at] = data[at : at + length]
        else:
            data[at:at] = one(pick, WORDS)
    return bytes(data)


def edit_words(content: bytes, pick: Pick) -> bytes:
    """One to three words of a text replaced by hostile ones."""
    for _ in range(1 + pick(3)):
        words = list(_WORD.finditer(content))
        if not words:
            break
        word = one(pick, words)
        content = content[: word.start()] + one(pick, WORDS) + content[word.end() :]
    return content


def edit_zip(content: bytes, pick: Pick) -> bytes:
    """One file of a zip changed, which the zip holds with its right checksum; a broken zip is for `edit_bytes`."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name = one(pick, sorted(files))
    files[name] = (edit_words if name.endswith(".json") and pick(4) else edit_bytes)(files[name], pick)
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return changed.getvalue()


def edit_arrays(arrays: Arrays, pick: Pick) -> Arrays:
    """One or two arrays of a file dropped, renamed, or of other type, shape or values."""
    changed = dict(arrays)
    for _ in range(1 + pick(2)):
        if not changed:
            break
        name = one(pick, sorted(changed))
        kind = pick(4)
        if kind == 0:
            del changed[name]
        elif kind == 1:
            new = one(pick, ("", "x", name.upper(), name + "_", "../x", "é", "a/b/c"))
            changed = {new if key == name else key: values for key, values in changed.items()}
        elif kind == 2:
            changed[name] = one(pick, _OF_TYPE)(changed[name])
        else:
            changed[name] = one(pick, _OF_SHAPE)(changed[name])
    return changed


def _with(value: object, dtype: Any) -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]]:
    def change(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The array in another type, with one value that does not belong there."""
        changed = np.zeros(array.shape, dtype=dtype)
        if array.dtype.kind in "iufb" and changed.dtype.kind in "iufc":
            with np.errstate(all="ignore"):
                changed[...] = array.astype(dtype)
        if changed.size:
            changed.reshape(-1)[-1] = value
        return changed

    return change


_OF_TYPE = tuple(_with(value, dtype) for value, dtype in (
    (np.nan, np.float64), (np.inf, np.float32), (-np.inf, np.float16), (1e300, np.float64), (0.3, np.float64),
    (-1, np.int8), (-(2**63), np.int64), (2**64 - 1, np.uint64), (2**31, np.int64), (2**32, np.int64), (255, np.uint8),
    (True, np.bool_), (1 + 2j, np.complex128), ("x", "U1"), ("é" * 300, "U300"), (b"x", "S1"), (None, object),
    (0, "M8[s]"), (0, "m8[ns]"), (2**31 - 1, ">i4"), ((1, 2), [("a", "i4"), ("b", "f8")]),
))
_OF_SHAPE: tuple[Callable[[npt.NDArray[Any]], npt.NDArray[Any]], ...] = (
    lambda a: np.atleast_1d(a)[:0], lambda a: np.atleast_1d(a)[:1], lambda a: a.ravel(), lambda a: a.T,
    lambda a: a[None], lambda a: a[..., None], lambda a: np.concatenate([a[None], a[None]]),
    lambda a: np.array(a.ravel()[:1].sum() if a.dtype.kind in "iuf" else 0),
)
