"""The commands of the chip: what they read and write, and one clear line for what is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.link_words import LINES, WORDS, write
from emulator import EconT
from emulator.links import ERX, ETX
from emulator.results import VectorCheck
from models.chip import Algorithm
from models.dialects import Dialect
from models.registers import Registers


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


def test_bad_input_leaves_no_output(tmp_path: Path, register_file: Path) -> None:
    erx = write(tmp_path / "erx.csv", [*LINES, "0123"])
    output = tmp_path / "out" / "etx.csv"
    result = emulator("chip", "--registers", register_file, "--input", erx, "--output", output)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr == f"error: {erx}: line 22: 1 column, expected 12\n"
    assert list(output.parent.glob("*")) == [] and list(output.parent.glob(".*")) == []


def test_commands_read_and_write_pipes(tmp_path: Path, register_file: Path) -> None:
    erx = ERX.header() + ERX.rows(WORDS)
    pipe = ("--input", "-", "--output", "-", "--first-bx", "3560")
    sent = emulator("chip", "--registers", register_file, *pipe, stdin=erx)
    assert sent.returncode == 0 and sent.stderr == "p1 chip, RPT on 13 links: 20 frames\n"
    frames = EconT.from_yaml(register_file).run(WORDS, first_bx=3560)
    assert sent.stdout == ETX.header() + ETX.rows(frames.etx)
    read = emulator("decode", "--registers", register_file, *pipe, stdin=sent.stdout)
    assert read.returncode == 0 and read.stderr == "p1 chip, RPT on 13 links: 20 frames\n"
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
    good = emulator("verify", tmp_path, "--json", tmp_path / "good.json")
    assert good.returncode == 0
    assert "20 of 20 frames exact in 1 set: 1 exact, 0 explained, 0 different, 0 bad" in good.stdout
    etx[7, 1] ^= 1 << 20
    (tmp_path / "testOutput.csv").write_text(ETX.header() + ETX.rows(etx))
    bad = emulator("verify", tmp_path, "--json", tmp_path / "bad.json")
    assert bad.returncode == 1
    assert "19 of 20 frames exact in 1 set: 0 exact, 0 explained, 1 different, 0 bad" in bad.stdout
    assert "different, BX 7: charge_" in bad.stdout and "TX_DATA_1" in bad.stdout
    written = {name: VectorCheck.load(tmp_path / f"{name}.json") for name in ("good", "bad")}
    assert [(one.n_frames, one.n_exact, one.status) for check in written.values() for one in check.sets] == [
        (20, 20, "exact"), (20, 19, "different")]
    assert written["good"].fine and not written["bad"].fine


def test_verify_tells_explained_sets_from_bad_ones(tmp_path: Path, register_file: Path) -> None:
    (tmp_path / "type4").mkdir()
    write(tmp_path / "type4" / "testInput.csv", LINES)
    write(tmp_path / "type4" / "init.yaml", ["ConfigAlgo: {Global: {alg_type: 1}}",
                                             "FormatterBuffer: {Global: {stc_type: 4}}"])
    explained = emulator("verify", tmp_path / "type4")
    assert explained.returncode == 0 and "0 exact, 1 explained, 0 different, 0 bad" in explained.stdout
    assert "/type4: explained: " in explained.stdout and "no output of it was published" in explained.stdout
    write(tmp_path / "testInput.csv", LINES)
    both = emulator("verify", tmp_path)  # the register file beside it has no output
    assert both.returncode == 1 and "0 exact, 1 explained, 0 different, 1 bad" in both.stdout
    assert f"bad: {tmp_path}/testOutput.csv is missing" in both.stdout


def test_the_revision_is_that_of_the_file_unless_given(tmp_path: Path, register_file: Path) -> None:
    erx = write(tmp_path / "erx.csv", LINES)
    Registers.load(register_file).save(tmp_path / "production.yaml", Dialect.PRODUCTION)
    words = {}
    for name, given in (("init", []), ("production", []), ("init", ["--revision", "production"])):
        output = tmp_path / f"{name}{len(given)}.csv"
        result = emulator("chip", "--registers", tmp_path / f"{name}.yaml", "--input", erx, "--output", output, *given)
        revision = "production" if given or name == "production" else "p1"
        assert result.returncode == 0 and result.stderr == f"{revision} chip, RPT on 13 links: 20 frames\n"
        words[name, revision] = output.read_text()
    assert words["init", "p1"] == words["production", "production"] != words["init", "production"]


def test_lost_words_are_told_by_chip_and_decode(tmp_path: Path) -> None:
    values: dict[str, int | list[int]] = {
        "FMTBUF_ALL.buff_t1": 480, "FMTBUF_ALL.buff_t2": 511, "FMTBUF_ALL.config.eporttx_numen": 2,
    }
    registers = Registers.reset().with_values(values)
    registers.save(tmp_path / "init.yaml")
    words = np.tile(WORDS, (10, 1))
    erx = write(tmp_path / "erx.csv", (ERX.header() + ERX.rows(words)).splitlines())
    etx = tmp_path / "etx.csv"
    sent = emulator("chip", "--registers", tmp_path / "init.yaml", "--input", erx, "--output", etx)
    n_lost = int((EconT(registers).run(words).n_lost > 0).sum())
    assert n_lost > 10 and sent.stderr.splitlines()[1] == (
        "warning: buff_t1 = 480 is above 375, the 400 words of the output buffer less a frame: "
        f"{n_lost} of 200 frames lost words")
    fields = tmp_path / "fields.csv"
    read = emulator("decode", "--registers", tmp_path / "init.yaml", "--input", etx, "--output", fields)
    assert read.returncode == 0
    count, told = read.stderr.splitlines()[1].split(" ", 1)
    assert told == "frames could not be read: the output buffer lost words (buff_t1 = 480)" and int(count) > 0


def test_library_needs_numpy_alone() -> None:
    code = ("import sys; from emulator import EconT, decode; "
            "print(sorted({name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names))")
    found = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); {code}"],
                           capture_output=True, text=True, check=True).stdout
    assert not {"yaml", "pydantic", "pandas", "typer", "rich", "pyarrow", "numba"} & set(eval(found))


@pytest.mark.parametrize(("arguments", "line"), [
    (["--input", "-", "--output", "-"], "--registers is missing, expected --registers, --input and --output, or one of "
                                        "decode, compare, verify, figures"),
    (["--registers", "init.yaml", "decode", "--input", "-"], "--registers must follow decode, not precede it")])
def test_chip_runs_with_its_options_or_calls_one_command(arguments: list[str], line: str) -> None:
    result = emulator("chip", *arguments)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"error: {line}\n")


def test_commands_of_the_chip_stand_under_chip_too(tmp_path: Path) -> None:
    for folder, command in (("a", ["figures"]), ("b", ["chip", "figures"])):
        assert emulator(*command, "--output", tmp_path / folder).returncode == 0
    drawn = {folder: {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()} for folder in "ab"}
    assert drawn["a"] and drawn["a"] == drawn["b"]
