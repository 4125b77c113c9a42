"""Results as files: what is written is read as it was, and what does not fit is one line."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from models.errors import InputError
from models.hardware import Implementation
from models.result import FloatOrNone, Result, ResultList, Rounded, RoundedOrNone


class Part(Result):
    name: str
    counts: tuple[int, ...] = ()


class Whole(Result):
    value: RoundedOrNone
    exact: FloatOrNone = None
    digits: Rounded = 0.0
    parts: tuple[Part, ...] = ()


EXAMPLE = Whole(value=1.25, exact=0.1 + 0.2, parts=(Part(name="a", counts=(1, 2)), Part(name="b")))


def test_a_file_holds_the_result(tmp_path: Path) -> None:
    EXAMPLE.save(tmp_path / "folder" / "result.json")
    assert Whole.load(tmp_path / "folder" / "result.json") == EXAMPLE
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["result.json"], "no temporary file stays"
    content = json.loads((tmp_path / "folder" / "result.json").read_text())
    assert content["parts"][0] == {"name": "a", "counts": [1, 2]} and content["exact"] == 0.1 + 0.2


def test_a_dash_is_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    EXAMPLE.save("-")
    assert Whole.model_validate_json(capsys.readouterr().out) == EXAMPLE


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    EXAMPLE.save(tmp_path / "result.json")
    before = (tmp_path / "result.json").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        Whole(value=None).save(tmp_path / "result.json")
    assert (tmp_path / "result.json").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("absent", [np.nan, np.float64("nan"), float("inf"), None])
def test_what_is_absent_in_arrays_is_none_in_results_and_null_in_files(absent: float | None) -> None:
    found = Whole(value=absent, exact=absent)
    assert (found.value, found.exact) == (None, None)
    assert json.loads(found.model_dump_json()) == {"value": None, "exact": None, "digits": 0.0, "parts": []}


def test_a_value_that_must_be_there_is_not_nan() -> None:
    with pytest.raises(ValidationError, match="finite number"):
        Whole(value=1.0, digits=float("nan"))


@pytest.mark.parametrize(("value", "rounded"), [(1.23456789, 1.23457), (-0.000123456789, -0.000123457),
                                                (123456789.0, 123457000.0), (np.float64(2.5), 2.5)])
def test_six_digits_are_kept(value: float, rounded: float) -> None:
    found = Whole(value=value, digits=value)
    assert (found.value, found.digits) == (rounded, rounded) and type(found.value) is float
    assert Whole.model_validate_json(found.model_dump_json()) == found


def test_a_result_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        EXAMPLE.value = 2.0  # type: ignore[misc]


@pytest.mark.parametrize(("text", "message"), [
    ("{", "not readable as JSON: EOF while parsing"),
    ("", "not readable as JSON: EOF while parsing"),
    ("\xff\xfe", "not readable as JSON: "),
    ("[]", r"Input should be an object \(given: \[\]\)"),
    ("{}", "key value is missing$"),
    ('{"value": "1"}', r"value: Input should be a valid number \(given: 1\)"),
    ('{"value": true}', r"value: Input should be a valid number \(given: True\)"),
    ('{"value": 1, "parts": {}}', r"parts: Input should be a valid array \(given: {}\)"),
    ('{"value": 1, "parts": [{"name": "a"}, {}]}', r"key parts\.1\.name is missing$"),
    ('{"value": 1, "parts": [{"name": 7}]}', r"parts\.0\.name: Input should be a valid string \(given: 7\)"),
    ('{"value": 1, "parts": [{"name": "a", "counts": [1, 2.5]}]}', r"parts\.0\.counts\.1: Input should be a valid int"),
    ('{"value": 1, "digits": NaN}', r"digits: Input should be a finite number \(given: nan\)"),
    ('{"value": "' + 500 * "x" + '"}', r"value: Input should be a valid number \(given: x{60}\)$"),
])
def test_what_does_not_fit_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text, encoding="latin1")
    with pytest.raises(InputError, match=rf"^{path}: {message}") as caught:
        Whole.load(path)
    assert "\n" not in str(caught.value)


def test_other_keys_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"value": 1.25, "later": []}')
    assert Whole.load(tmp_path / "result.json") == Whole(value=1.25)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert Whole.find(tmp_path / "none.json") is None
    with pytest.raises(FileNotFoundError):
        Whole.load(tmp_path / "none.json")


def test_rows_are_an_array_of_objects(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    rows = ResultList[Part]((Part(name="a"), Part(name="b", counts=(3,))))
    rows.save(path)
    assert [row["name"] for row in json.loads(path.read_text())] == ["a", "b"]
    assert ResultList[Part].load(path).rows == rows.rows
    path.write_text('[{"name": "a"}, {"counts": []}]')
    with pytest.raises(InputError, match=rf"^{path}: key 1\.name is missing$"):
        ResultList[Part].load(path)


def test_repr_is_short() -> None:
    long = Whole(value=1.5, parts=tuple(Part(name="part" * 40, counts=tuple(range(1000))) for _ in range(3)))
    assert repr(long) == "Whole(value=1.5, exact=None, digits=0.0, parts=<3 items>)"
    assert repr(long.parts[0]) == "Part(name=<str>, counts=<1000 items>)"


def test_an_implementation_is_told_in_words() -> None:
    row = Implementation(name="RTL", tool="a tool", lut=13_000, bram=0, latency_cycles=4, clock_ns=12.5)
    assert repr(row) == "<Implementation RTL: 13,000 LUT, 0 BRAM18, latency 4 clocks = 50 ns = 2 BX>"
    assert not row.absent and (row.latency_ns, row.latency_bx) == (50, 2)
    nothing = Implementation(name="RTL", tool="not run: make rtl-synth")
    assert nothing.absent and repr(nothing) == "<Implementation RTL: not run: make rtl-synth>"
    assert nothing.latency_ns is nothing.latency_bx is None
