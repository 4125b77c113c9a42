"""Tables on terminals of any width: names and digits stay whole, and a pipe gets everything."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitexact_tests.conftest import REPOSITORY
from models.console import Column, WholeWords, console_for, show_table, write_csv

COLUMNS = [Column("scheme"), Column("EMD", right=True), Column("energy", right=True, optional=True),
           Column("width", right=True, optional=True), Column("what it is", wraps=True)]
ROWS = [("STC4 7-bit at largest", "0.594 ± 0.019", "1.008", "-0.034", "sums of four cells and the largest of them"),
        ("AE econ_t_5elink", "2.910 ± 0.077", "1.002", "0.703", "latents")]


WORDS = st.text("abcdefgh0123456789./=", min_size=1, max_size=14)


def shown(width: int, rows: Sequence[Sequence[str]] = ROWS, bad: tuple[int, ...] = (), colour: bool = False,
          columns: Sequence[Column] = COLUMNS) -> str:
    text = io.StringIO()
    show_table(WholeWords(file=text, width=width, force_terminal=colour, markup=False, highlight=False), "title",
               columns, rows, bad)
    return text.getvalue()


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Column], list[list[str]]]:
    """Columns and rows: a name, then numbers and texts of several words, with titles of several words."""
    texts = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)
    titles = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
    columns = [Column("name")] + draw(st.lists(st.builds(
        Column, titles, right=st.booleans(), wraps=st.booleans(), optional=st.booleans()), max_size=8))
    rows = [[draw(WORDS), *(draw(texts if one.wraps else WORDS) for one in columns[1:])]
            for _ in range(draw(st.integers(1, 3)))]
    return columns, rows


@settings(max_examples=100, deadline=None)
@given(table=tables(), width=st.integers(20, 160))
def test_every_word_of_every_table_is_whole(table: tuple[list[Column], list[list[str]]], width: int) -> None:
    columns, rows = table
    lines = shown(width, rows, columns=columns).splitlines()
    assert max(map(len, lines)) <= width or not any("─" in line for line in lines)  # paragraphs can have a longer word
    words = {word for line in lines for word in line.split()}
    here = {*range(len(columns))} - {k for k, one in enumerate(columns) if one.optional}
    assert {word for row in rows for k in here for word in row[k].split()} <= words
    left_out = lines[-1] if lines[-1].startswith("Not shown") else " ".join(lines[lines.index(next(
        (line for line in lines if line.startswith("Not shown")), lines[-1])):])
    for k, one in enumerate(columns):
        if one.optional and not all(word in words for row in rows for word in row[k].split()):
            assert all(word in left_out for word in one.title.split())


@pytest.mark.parametrize("width", [200, 110, 80, 60, 50, 40])
def test_no_name_and_no_digit_is_lost(width: int) -> None:
    lines = shown(width).splitlines()
    assert max(map(len, lines)) <= width
    text = shown(width)
    for name, emd, *_ in ROWS:
        assert name in text and emd in text
    words = "".join(text.split())
    assert all(word in words for row in ROWS for word in row[4].split()) and "…" not in text


def test_the_last_optional_columns_go_first_and_are_named() -> None:
    assert "width" in shown(80) and "Not shown" not in shown(80)
    assert "1.008" in shown(70) and "-0.034" not in shown(70) and "Not shown in 70 columns: width" in shown(70)
    assert "Not shown in 60 columns: energy, width" in shown(60)


def test_without_room_a_row_is_a_paragraph() -> None:
    assert shown(50).splitlines()[:4] == [
        "title", "STC4 7-bit at largest", "    EMD 0.594 ± 0.019   energy 1.008", "    width -0.034"]
    assert "Not shown" not in shown(50)


def test_titles_go_on_in_a_second_line_before_a_column_is_left_out() -> None:
    columns = [Column("set"), Column("held-out published modules", right=True)]
    assert shown(30, [("econ_t_5elink", "0.456")], columns=columns).splitlines()[1:] == [
        "                      held-out", "                     published", "set                    modules",
        "──────────────────────────────", "econ_t_5elink            0.456"]
    assert "held-out published modules" in shown(60, [("econ_t_5elink", "0.456")], columns=columns)


def test_the_first_cell_of_a_paragraph_says_what_its_number_is() -> None:
    assert shown(20, [("1", "a" * 18)], columns=[Column("number"), Column("run")]).splitlines()[1:] == [
        "number 1", "    run", "      " + "a" * 18]


def test_a_sentence_breaks_between_words(capsys: pytest.CaptureFixture[str]) -> None:
    path, text = "runs/" + "a" * 60, io.StringIO()
    WholeWords(file=text, width=40).print(f"  one two three four five six seven eight {path} nine\n\nten")
    assert text.getvalue() == f"  one two three four five six seven\neight\n{path}\nnine\n\nten\n"
    console_for().print("word " * 100 + "end")
    assert capsys.readouterr().out == "word " * 100 + "end\n"


def test_tables_and_lines_of_all_commands_come_from_here() -> None:
    for package in ("models", "emulator", "hls", "rtl", "training", "bitexact_tests"):
        for file in sorted((REPOSITORY / package).rglob("commands/**/*.py")):
            if not file.name.startswith("test_"):
                text = file.read_text()
                assert "Table(" not in text and "RichHandler" not in text, file
                assert "Console(" not in text or "Progress(" in text, file


def test_a_value_longer_than_a_line_is_whole() -> None:
    name = "runs/" + "a" * 90
    assert name in shown(40, [(name, "1", "2", "3", "4")])


def test_bad_rows_are_red() -> None:
    first, second = (line for line in shown(110, bad=(1,), colour=True).splitlines() if "±" in line)
    assert "\x1b[31m" in second and "\x1b[31m" not in first


def test_a_pipe_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(console_for(), "t" * 300, COLUMNS, [("n" * 200, "1", "2", "3", "word " * 100)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "t" * 300 and "n" * 200 in lines[-1] and lines[-1].count("word") == 100


def test_csv_has_every_digit_and_empty_cells(capsys: pytest.CaptureFixture[str]) -> None:
    write_csv("-", [{"name": "a,b", "emd": 1 / 3, "n": 7}, {"name": "c", "emd": None, "n": 8}])
    assert capsys.readouterr().out == 'name,emd,n\n"a,b",0.3333333333333333,7\nc,,8\n'


def test_a_reader_that_goes_away_stops_the_table_and_nothing_else() -> None:
    """As `| head`: what a command writes after its table is written."""
    program = ("import sys; from models.console import console_for, show_table; console = console_for()\n"
               "for _ in range(3): show_table(console, 'title', ['x'], [['0' * 9]] * 20_000)\n"
               "sys.stderr.write('written')")
    with subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == "title\n"
        process.stdout.close()
        assert process.stderr.read() == "written"
    assert process.returncode == 0
