"""Tables on terminals of any width: names and digits stay whole, and a pipe gets everything."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from models.console import Column, console_for, show_table, write_csv

COLUMNS = [Column("scheme"), Column("EMD", right=True), Column("energy", right=True, optional=True),
           Column("width", right=True, optional=True), Column("what it is", wraps=True)]
ROWS = [("STC4 7-bit at largest", "0.594 ± 0.019", "1.008", "-0.034", "sums of four cells and the largest of them"),
        ("AE econ_t_5elink", "2.910 ± 0.077", "1.002", "0.703", "latents")]


def shown(width: int, rows: list[tuple[str, ...]] = ROWS, bad: tuple[int, ...] = (), colour: bool = False) -> str:
    text = io.StringIO()
    show_table(Console(file=text, width=width, force_terminal=colour, markup=False, highlight=False), "title",
               COLUMNS, rows, bad)
    return text.getvalue()


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
