"""Link-word files and the commands of the chip: what they read and write, and one clear line for what is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bitexact_tests.conftest import REPOSITORY
from emulator import EconT
from emulator.links import ERX, ETX, LinkFile
from models.chip import Algorithm
from models.errors import InputError
from models.registers import Registers

RNG = np.random.default_rng(3)
WORDS = RNG.integers(0, 1 << 32, (20, 12), dtype=np.uint32)
LINES = (ERX.header() + ERX.rows(WORDS)).splitlines()


def emulator(*arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "emulator", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, input=stdin, capture_output=True, text=True, check=False)


@pytest.fixture
def register_file(tmp_path: Path) -> Path:
    """A chip that repeats its input on 13 links."""
    registers = Registers.reset().with_values({
        "MFC_ALGORITHM_SEL_DENSITY.algo.select": Algorithm.REPEATER, "FMTBUF_ALL.config.eporttx_numen": 13,
    })
    registers.save(tmp_path / "init.yaml")
    return tmp_path / "init.yaml"


def write(path: Path, lines: list[str], end: str = "\n") -> Path:
    path.write_text("\n".join(lines) + end)
    return path


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
    "endless line": ([*LINES[:3], "f" * 100_000], r"line 4: 1 columns, expected 12"),
    "bytes": ([*LINES[:3], "\x00\xff\x80"], r"line 4: 1 columns, expected 12"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_one_line_for_each_bad_file(tmp_path: Path, register_file: Path, name: str) -> None:
    lines, message = BAD_FILES[name]
    path = write(tmp_path / "erx.csv", lines)
    with pytest.raises(InputError, match=message) as error:
        ERX.read_all(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_bad_input_leaves_no_output(tmp_path: Path, register_file: Path) -> None:
    erx = write(tmp_path / "erx.csv", [*LINES, "0123"])
    output = tmp_path / "out" / "etx.csv"
    result = emulator("chip", "--registers", register_file, "--input", erx, "--output", output)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr == f"error: {erx}: line 22: 1 columns, expected 12\n"
    assert list(output.parent.glob("*")) == [] and list(output.parent.glob(".*")) == []


def test_commands_read_and_write_pipes(tmp_path: Path, register_file: Path) -> None:
    erx = ERX.header() + ERX.rows(WORDS)
    pipe = ("--input", "-", "--output", "-", "--first-bx", "3560")
    sent = emulator("chip", "--registers", register_file, *pipe, stdin=erx)
    assert sent.returncode == 0, sent.stderr
    frames = EconT.from_yaml(register_file).run(WORDS, first_bx=3560)
    assert sent.stdout == ETX.header() + ETX.rows(frames.etx)
    read = emulator("decode", "--registers", register_file, *pipe, stdin=sent.stdout)
    assert read.returncode == 0, read.stderr
    header, *rows = (line.split(",") for line in read.stdout.splitlines())
    assert header[:3] == ["bx", "bx_counter", "charge_0"] and header[-1] == "calq_47"
    assert [row[0] for row in rows] == [str(bx) for bx in range(3560, 3580)]
    assert rows[4][1] == "31" and rows[5][1] == "1"
    charge = np.array([[int(number) for number in row[2:50]] for row in rows])
    np.testing.assert_array_equal(charge, frames.trace["charge_code"])


def test_numbers_that_a_frame_does_not_carry_are_empty(tmp_path: Path) -> None:
    registers = Registers.reset().with_values({"ALGO_THRESHOLD_VAL.threshold_val_*": 1 << 22})
    registers.save(tmp_path / "init.yaml")
    frames = EconT(registers).run(WORDS)
    etx = tmp_path / "etx.csv"
    etx.write_text(ETX.header() + ETX.rows(frames.etx))
    output = tmp_path / "fields.csv"
    result = emulator("decode", "--registers", tmp_path / "init.yaml", "--input", etx, "--output", output)
    assert result.returncode == 0, result.stderr
    header, first = (line.split(",") for line in output.read_text().splitlines()[:2])
    row = dict(zip(header, first, strict=True))
    assert row["type"] == "0" and row["charge_0"] == "" and row["calq_0"] == "0" and row["module_sum"] != ""


def test_wrong_output_is_named(tmp_path: Path, register_file: Path) -> None:
    etx = tmp_path / "etx.csv"
    etx.write_text(ETX.header() + ETX.rows(np.zeros((3, 13), dtype=np.uint32)))
    result = emulator("decode", "--registers", register_file, "--input", etx, "--output", tmp_path / "fields.csv")
    assert result.returncode == 2 and not (tmp_path / "fields.csv").exists()
    assert result.stderr == (f"error: {etx}: BX 0: bx_counter of BX 0 is 0, expected 31; "
                             "do these registers belong to this output?\n")


def test_verify_exits_with_one_on_a_mismatch(tmp_path: Path, register_file: Path) -> None:
    etx = EconT.from_yaml(register_file).run(WORDS).etx
    write(tmp_path / "testInput.csv", LINES)
    (tmp_path / "testOutput.csv").write_text(ETX.header() + ETX.rows(etx))
    good = emulator("verify", tmp_path)
    assert good.returncode == 0 and "20 of 20 frames exact in 1 sets" in good.stdout
    etx[7, 1] ^= 1 << 20
    (tmp_path / "testOutput.csv").write_text(ETX.header() + ETX.rows(etx))
    bad = emulator("verify", tmp_path)
    assert bad.returncode == 1 and "19 of 20 frames exact in 1 sets" in bad.stdout
    assert "BX 7: charge_" in bad.stdout and "TX_DATA_1" in bad.stdout


def test_library_needs_numpy_alone() -> None:
    code = ("import sys; from emulator import EconT, decode; "
            "print(sorted({name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names))")
    found = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); {code}"],
                           capture_output=True, text=True, check=True).stdout
    assert not {"yaml", "pydantic", "pandas", "typer", "rich", "pyarrow", "numba"} & set(eval(found))
