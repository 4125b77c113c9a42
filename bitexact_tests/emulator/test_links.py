"""Files of link words: what is read, and one clear line for what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bitexact_tests.samples.link_words import LINES, WORDS, write
from emulator.links import ERX, ETX, LinkFile
from models.errors import InputError


@pytest.mark.parametrize("kind", [ERX, ETX])
@given(words=st.data())
def test_words_survive_the_file(kind: LinkFile, words: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    shape = st.tuples(st.integers(1, 9), st.just(kind.n_links))
    given_words = words.draw(hnp.arrays(np.uint32, shape, elements=st.integers(0, (1 << 32) - 1)))
    path = tmp_path_factory.mktemp("words") / "links.csv"
    path.write_text(kind.header() + kind.rows(given_words))
    np.testing.assert_array_equal(kind.read_all(path), given_words)
    parts = list(kind.read(path, rows_per_chunk=2))
    assert [len(part) for part in parts[:-1]] == [2] * (len(parts) - 1)
    np.testing.assert_array_equal(np.concatenate(parts), given_words)


def test_line_ends_of_any_system_and_upper_case(tmp_path: Path) -> None:
    path = tmp_path / "erx.csv"
    path.write_bytes("\r\n".join([LINES[0], *(line.upper() for line in LINES[1:])]).encode())
    np.testing.assert_array_equal(ERX.read_all(path), WORDS)
    write(path, LINES, end="\n\n\n")
    np.testing.assert_array_equal(ERX.read_all(path), WORDS)

BAD_FILES = {
    "empty": ([""], r"line 1: .*, expected the header RX_DATA_0,..,RX_DATA_11"),
    "no header": (LINES[1:], r"line 1: .*, expected the header"),
    "header of the other side": ([ETX.header().strip(), *LINES[1:]], r"line 1: .*, expected the header RX_DATA_0"),
    "no rows": (LINES[:1], r"a header but no rows, expected 12 words per row"),
    "cut in a word": ([*LINES[:5], LINES[5][:-3]], r"line 6, column RX_DATA_11: '\w{5}', expected 8 hex digits"),
    "cut between words": ([*LINES[:5], LINES[5][:-9]], r"line 6: 11 columns, expected 12"),
    "one word more": ([*LINES[:5], LINES[5] + ",00000000"], r"line 6: 13 columns, expected 12"),
    "no hex": ([*LINES[:3], "x" + LINES[3][1:], *LINES[4:]], r"line 4, column RX_DATA_0: 'x\w{7}', expected 8 hex"),
    "sign": ([*LINES[:3], LINES[3][:9] + "+" + LINES[3][10:]], r"line 4, column RX_DATA_1: '\+\w{7}', expected 8 hex"),
    "empty line": ([*LINES[:5], "", *LINES[5:]], r"line 6: empty, expected 12 words"),
    "endless line": ([*LINES[:3], "f" * 100_000], r"line 4: 1 column, expected 12"),
    "bytes": ([*LINES[:3], "\x00\xff\x80"], r"line 4: 1 column, expected 12"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_one_line_for_each_bad_file(tmp_path: Path, name: str) -> None:
    lines, message = BAD_FILES[name]
    path = write(tmp_path / "erx.csv", lines)
    with pytest.raises(InputError, match=message) as error:
        ERX.read_all(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)
