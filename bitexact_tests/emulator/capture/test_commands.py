"""`chip decode --align` and `chip compare`: what they print, write and refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from bitexact_tests.samples.captures import Etx, captured, input_words, rewired, sent
from emulator import EconT
from emulator.__main__ import app
from emulator.capture.results import AlignedCapture, CaptureComparison
from emulator.decoding import decode
from emulator.links import ERX, ETX
from models.console import WholeWords

N = 400


def econ_t(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["chip", *map(str, arguments)])


def one_line(result: Result) -> str:
    return " ".join(result.output.split())


def fit(lines: list[str]) -> bool:
    """Lines fit the terminal, but for paths, which stay in one piece."""
    return all(len(line) <= 80 or " " not in line for line in lines)


def save(path: Path, etx: Etx) -> Path:
    path.write_text(ETX.header() + ETX.rows(etx))
    return path


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed has 80 columns, as on a terminal."""
    def of_80_columns(*files: object, stderr: bool = False) -> WholeWords:
        return WholeWords(stderr=stderr or "-" in files, width=80, highlight=False, markup=False)

    for name in ("capture_report.console_for", "compare.result_console", "decode.result_console"):
        monkeypatch.setattr(f"emulator.commands.{name}", of_80_columns)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Settings of BC, what it sends of the input beside it, and a capture of it: links 0 and 1 exchanged, a gap."""
    registers, etx = sent("BC", 5)
    registers.save(tmp_path / "init.yaml")
    (tmp_path / "erx.csv").write_text(ERX.header() + ERX.rows(input_words()[:N]))
    there = captured(etx, 3400, 4200, (3900, 3937), 10)
    return {"registers": tmp_path / "init.yaml", "input": tmp_path / "erx.csv",
            "expected": save(tmp_path / "expected.csv", etx[:N]),
            "capture": save(tmp_path / "capture.csv", rewired(there.etx, (1, 0, 2, 3, 4), (0,)))}


def aligned(files: dict[str, Path], *options: object, capture: Path | None = None) -> tuple[Result, Path]:
    output = files["registers"].parent / "fields.csv"
    return econ_t("decode", "--align", "--registers", files["registers"], "--input", capture or files["capture"],
                  "--output", output, *options), output


def test_align_says_what_it_found(files: dict[str, Path]) -> None:
    result, output = aligned(files, "--json", output_json := files["registers"].parent / "found.json")
    assert result.exit_code == 0 and result.stderr == ""
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    text = " ".join(" ".join(lines).split())
    assert fit(lines) and text.startswith(f"{files['capture']}: 753 frames of 763 rows recovered")
    for line in (
            "chip p1 chip, BC on 5 links links link 0 in TX_DATA_1; link 1 in TX_DATA_0; link 2 in TX_DATA_2;",
            "link 4 in TX_DATA_4; inverted: TX_DATA_0 rows 753 frames, 0 idle, 10 damaged, 0 repeated start BX 3400,",
            "last row BX 4167; an orbit starts in line 166 gaps at least 5 BX before line 502"):
        assert line in text
    found = AlignedCapture.load(output_json)
    assert (found.columns, found.inverted, found.n_orders) == ((1, 0, 2, 3, 4), (0,), 1)
    assert [(gap.row, gap.bx, gap.missing, gap.exact) for gap in found.gaps] == [(500, 3905, 5, False)]
    assert output.read_text().count("\n") == 764


def test_fields_of_an_aligned_capture(files: dict[str, Path]) -> None:
    registers, etx = sent("BC", 5)
    _, output = aligned(files)
    header, *rows = (line.split(",") for line in output.read_text().splitlines())
    there = decode(registers, etx)
    assert header == ["bx", *there.column_names()]
    bx = np.array([int(row[0]) for row in rows])
    assert bx[:500].tolist() == list(range(3400, 3900))
    expected = list(there.rows())
    assert [row[1:] for row in rows[:500] if row[1]] == [expected[bx] for bx in range(3400, 3900) if rows[bx - 3400][1]]
    assert sum(not any(row[1:]) for row in rows) == 10


def test_given_links_are_taken(files: dict[str, Path]) -> None:
    found, _ = aligned(files, "--links", "1,0,2,3,4", "--inverted", "0")
    assert "753 frames" in one_line(found)
    wrong, _ = aligned(files, "--links", "1,2,0,3,4", "--inverted", "0")
    assert wrong.exit_code == 0 and "frames of 763 rows recovered" in one_line(wrong)
    assert "753 frames" not in one_line(wrong)


def test_what_the_frames_do_not_tell_is_a_warning(tmp_path: Path) -> None:
    registers, etx = sent("RPT", 5)
    registers.save(tmp_path / "init.yaml")
    capture = save(tmp_path / "capture.csv", etx[:500])
    found, _ = aligned({"registers": tmp_path / "init.yaml"}, capture=capture)
    assert "warning: the frames do not tell the order of the links: 384 fit equally well" in one_line(found)


REFUSED: dict[str, tuple[list[Any], str]] = {
    "first bx": (["--first-bx", 3], "--first-bx 3 with --align, which finds it; expected one of the two"),
    "no numbers": (["--links", "a,b"], "--links a,b, expected numbers of columns such as 2,0,1"),
    "too few": (["--links", "0,1"], "--links: 2 columns, expected 5 as in the registers"),
    "twice": (["--links", "0,1,1,2,3"], "--links: 0, 1, 1, 2, 3: a column twice"),
    "no such column": (["--links", "0,1,2,3,13"], "--links: column 13, expected 0..12"),
    "inverted alone": (["--inverted", "1"], "--inverted needs --links, the column of each link; without both they are "
                                            "found"),
    "inverted elsewhere": (["--links", "0,1,2,3,4", "--inverted", "5"], "--inverted: column 5 is not one of --links"),
    "two on stdout": (["--output", "-", "--json", "-"], "--output - and --json -: both on stdout, expected a file for "
                                                        "one of them"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_options_are_one_line(files: dict[str, Path], name: str) -> None:
    options, line = REFUSED[name]
    result, output = aligned(files, *options)
    assert (result.exit_code, result.stderr) == (2, f"error: {line}\n") and not output.exists()


@pytest.mark.parametrize("option", ["--links", "--inverted", "--json"])
def test_options_of_align_need_it(files: dict[str, Path], option: str) -> None:
    result = econ_t("decode", "--registers", files["registers"], "--input", files["capture"], "--output", "-", option,
                    "0")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"error: {option} needs --align\n")


def test_settings_of_another_capture_name_the_file(files: dict[str, Path]) -> None:
    sent("AE", 5)[0].save(files["registers"])
    result, output = aligned(files)
    assert result.exit_code == 2 and not output.exists() and len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith(f"error: {files['capture']}: no column goes on counting bunch crossings")


def compared(files: dict[str, Path], etx: Etx, *options: object) -> Result:
    recorded = save(files["registers"].parent / "recorded.csv", etx)
    return econ_t("compare", files["expected"], recorded, *options)


def words() -> Etx:
    return sent("BC", 5)[1][:N].copy()


def test_compare_of_equal_captures(files: dict[str, Path]) -> None:
    equal = compared(files, words())
    assert equal.exit_code == 0 and one_line(equal).startswith("400 of 400 rows equal: ")
    part = compared(files, words()[100:300])
    assert part.exit_code == 0
    assert "Recorded line 2 is expected line 102: the capture begins 100 BX on" in one_line(part)
    late = compared(files, np.concatenate([np.full((1, 13), 3, np.uint32), words()]))
    assert late.exit_code == 0 and "Recorded line 3 is expected line 2: the capture is 1 BX late" in one_line(late)


def test_compare_shows_the_difference_and_guesses(files: dict[str, Path], tmp_path: Path) -> None:
    etx = words()
    etx[:, 1] ^= np.uint32(1 << 17)
    result = compared(files, etx, "--registers", files["registers"], "--json", tmp_path / "found.json")
    assert result.exit_code == 1 and result.stderr == ""
    body = [line.rstrip() for line in result.stdout.splitlines()[1:]]
    assert fit(body)
    text = "\n".join(body)
    assert "Guess: bit 17 of TX_DATA_1 is inverted (put right, 400 of 400 rows are equal)" in " ".join(text.split())
    assert "First difference: BX 0" in text and "TX_DATA_1    400   " + "." * 14 + "#" + "." * 17 in text
    assert "Differences by field, in " in text and "charge" in text
    found = CaptureComparison.load(tmp_path / "found.json")
    assert (found.n_compared, found.n_equal, found.links[1], found.bits[1][14]) == (400, 0, 400, 400)
    assert not found.equal
    assert found.first is not None and found.first.words[0].name == "TX_DATA_1" and found.guesses[0].n_exact == 400


def test_compare_without_settings_counts_words_alone(files: dict[str, Path]) -> None:
    etx = words()
    etx[:, :2] = etx[:, [1, 0]]
    result = compared(files, etx)
    assert result.exit_code == 1 and "Guess: links 0 and 1 are exchanged" in one_line(result)
    assert "Differences by field" not in one_line(result)


def test_compare_tries_other_registers(files: dict[str, Path]) -> None:
    other = sent("BC", 5)[0].with_values({"FMTBUF_ALL.config.use_sum": 1})
    recorded = EconT(other).run(input_words()[:N]).etx
    result = compared(files, recorded, "--registers", files["registers"], "--input", files["input"])
    assert "Guess: use_sum = 1, expected 0 (put right, 400 of 400 rows are equal)" in one_line(result)


def test_missing_rows_are_a_difference(files: dict[str, Path]) -> None:
    result = compared(files, np.delete(words(), slice(100, 107), axis=0))
    assert result.exit_code == 1 and "Rows 7 missing before line 102 of the recorded capture" in one_line(result)


@pytest.mark.parametrize(("arguments", "line"), [
    (["--input", "erx.csv"], "error: --input erx.csv needs --registers"),
    (["--registers", "none.yaml"], "error: none.yaml: No such file or directory"),
])
def test_refused_comparisons_are_one_line(files: dict[str, Path], arguments: list[str], line: str) -> None:
    result = compared(files, words(), *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{line}\n")


def test_stdin_is_one_capture_alone() -> None:
    result = econ_t("compare", "-", "-")
    assert result.exit_code == 2 and "both stdin" in one_line(result)
