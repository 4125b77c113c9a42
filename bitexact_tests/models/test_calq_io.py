"""CALQ files: what is read, in which order, and one clear line for what is wrong."""

from __future__ import annotations

import csv
import gzip
import os
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.calq_io import CALQ_COLUMNS, MAX_CALQ, read_calq, write_calq, write_latents
from models.calq_stream import calq_pieces
from models.errors import InputError
from models.trigger_cells import image_order
from training.production.stream import read_tables

CHARGES = np.arange(1, 5 * 48 + 1).reshape(5, 48)  # 0..47 would be names of columns
HEADER = ",".join(CALQ_COLUMNS)
ROWS = [",".join(map(str, row)) for row in CHARGES]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_header_is_optional_and_order_is_applied(tmp_path: Path) -> None:
    for lines in ([HEADER, *ROWS], ROWS):
        path = write(tmp_path / "calq.csv", *lines)
        np.testing.assert_array_equal(read_calq(path, "image").calq, CHARGES)
        np.testing.assert_array_equal(read_calq(path, "tc").calq, CHARGES[:, image_order()])


def test_columns_may_stand_anywhere_and_others_are_kept(tmp_path: Path) -> None:
    frame = pd.DataFrame(CHARGES, columns=CALQ_COLUMNS).sample(frac=1, axis=1, random_state=1)
    frame.insert(3, "layer", [1, 3, 5, 7, 9])
    frame["SimEnergyFraction"] = [0.5, np.nan, 0, 1, 0.25]
    frame.to_csv(tmp_path / "calq.csv", index=False)
    frame.to_parquet(tmp_path / "calq.parquet")
    for name in ("calq.csv", "calq.parquet"):
        table = read_calq(tmp_path / name, "image")
        np.testing.assert_array_equal(table.calq, CHARGES)
        assert list(table.extra.columns) == ["layer", "SimEnergyFraction"]
        assert table.extra["layer"].tolist() == [1, 3, 5, 7, 9] and table.extra["SimEnergyFraction"].isna().sum() == 1


FRAME = pd.DataFrame(CHARGES, columns=CALQ_COLUMNS)
SAME = {
    "pandas' names": FRAME.set_axis(range(48), axis=1).to_csv(index=False),
    "pandas' names and index": FRAME.set_axis(range(48), axis=1).to_csv(),
    "pandas' names, shuffled": FRAME.set_axis(range(48), axis=1).sample(frac=1, axis=1, random_state=1)
    .to_csv(index=False),
    "floats": FRAME.astype(float).to_csv(index=False),
    "floats without header": FRAME.astype(float).to_csv(index=False, header=False),
    "floats from the second row on": FRAME.to_csv(index=False).replace("\n49,", "\n49.0,"),
    "NumPy's notation": "".join(",".join(f"{value:.18e}" for value in row) + "\n" for row in CHARGES),
    "NumPy's header": f"# {HEADER}\n" + "\n".join(ROWS),
    "blanks behind commas": "\n".join([HEADER, *ROWS]).replace(",", ", "),
    "quoted": FRAME.to_csv(index=False, quoting=csv.QUOTE_ALL),
    "byte order mark": "\ufeff" + FRAME.set_axis(range(48), axis=1).to_csv(index=False),
    "carriage returns": FRAME.set_axis(range(48), axis=1).to_csv(index=False, lineterminator="\r"),
}
"""The same charges as other programs write them."""


@pytest.mark.parametrize("variant", SAME)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_the_same_charges_however_they_are_written(tmp_path: Path, variant: str, packed: bool) -> None:
    data = SAME[variant].encode()
    path = tmp_path / "calq.csv"  # its content, not its name, says that it is packed
    path.write_bytes(gzip.compress(data) if packed else data)
    np.testing.assert_array_equal(read_calq(path, "image").calq, CHARGES)
    np.testing.assert_array_equal(read_calq(path, "image", nrows_per_file=2).calq, CHARGES[:2])
    pieces = pa.concat_tables(read_tables([path], rows=2)).select(CALQ_COLUMNS)
    np.testing.assert_array_equal(pieces.to_pandas().to_numpy(), CHARGES)
    path.rename(tmp_path / "calq.csv.gz")
    np.testing.assert_array_equal(read_calq(tmp_path / "calq.csv.gz", "image").calq, CHARGES)


@pytest.mark.parametrize("kind", ["float32", "float64", "Int64", "uint16"])
def test_whole_numbers_of_any_type_in_parquet(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "calq.csv"  # Parquet under a name of CSV is Parquet
    FRAME.astype(kind).to_parquet(path)
    np.testing.assert_array_equal(read_calq(path, "image").calq, CHARGES)
    FRAME.set_axis(map(str, range(48)), axis=1).astype(kind).to_parquet(path)
    np.testing.assert_array_equal(read_calq(path, "image").calq, CHARGES)
    pieces = pa.concat_tables(read_tables([path], rows=2)).select(CALQ_COLUMNS)
    np.testing.assert_array_equal(pieces.to_pandas().to_numpy(), CHARGES)


def test_floats_begin_far_into_a_file(tmp_path: Path) -> None:
    charges = np.random.default_rng(1).integers(0, MAX_CALQ + 1, (20_000, 48))
    path = tmp_path / "calq.csv"
    text = pd.DataFrame(charges, columns=CALQ_COLUMNS).to_csv(index=False)
    path.write_text(text[:-1] + ".0\n")  # several blocks of the reader come before
    np.testing.assert_array_equal(read_calq(path, "image").calq, charges)
    pieces = pa.concat_tables(read_tables([path])).select(CALQ_COLUMNS)
    np.testing.assert_array_equal(pieces.to_pandas().to_numpy(), charges)


def test_many_files_folders_gzip_and_row_limit(tmp_path: Path) -> None:
    write(tmp_path / "b.csv", HEADER, *ROWS)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(f"{HEADER}\n{ROWS[4]}\n{ROWS[3]}\n".encode()))
    (tmp_path / "notes.txt").write_text("not data")
    np.testing.assert_array_equal(read_calq(tmp_path, "image").calq, CHARGES[[4, 3, 0, 1, 2, 3, 4]])
    np.testing.assert_array_equal(read_calq(tmp_path, "image", nrows_per_file=1).calq, CHARGES[[4, 0]])
    both = [tmp_path / "b.csv", tmp_path / "a.csv.gz"]
    np.testing.assert_array_equal(read_calq(both, "image", nrows_per_file=2).calq, CHARGES[[0, 1, 4, 3]])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_whole_range_is_read(tmp_path: Path, suffix: str) -> None:
    calq = np.array([[0] * 47 + [MAX_CALQ], [MAX_CALQ] * 48])
    write_calq(tmp_path / f"calq{suffix}", calq, "image")
    np.testing.assert_array_equal(read_calq(tmp_path / f"calq{suffix}", "image").calq, calq)


@settings(max_examples=25, deadline=None)
@given(hnp.arrays(np.uint32, st.tuples(st.integers(1, 4), st.just(48)), elements=st.integers(0, MAX_CALQ)),
       st.sampled_from(["tc", "image"]), st.sampled_from([".csv", ".csv.gz", ".parquet"]))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, calq: np.ndarray, order: str, suffix: str) -> None:
    path = tmp_path_factory.mktemp("calq") / f"calq{suffix}"
    write_calq(path, calq, order, pd.DataFrame({"layer": np.arange(len(calq))}))  # type: ignore[arg-type]
    table = read_calq(path, order)  # type: ignore[arg-type]
    np.testing.assert_array_equal(table.calq, calq)
    assert table.extra["layer"].tolist() == list(range(len(calq)))


def test_packed_csv_holds_the_bytes_of_plain_csv(tmp_path: Path) -> None:
    for name in ("a.csv", "a.csv.gz", "other.csv.gz"):
        write_calq(tmp_path / name, CHARGES)
    packed = (tmp_path / "a.csv.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "a.csv").read_bytes()
    assert packed == (tmp_path / "other.csv.gz").read_bytes() and packed[4:8] == bytes(4)  # neither name nor time


def test_latents_are_plain_integers(tmp_path: Path) -> None:
    write_latents(tmp_path / "latent.csv", np.arange(32, dtype=np.int32).reshape(2, 16))
    first, second, third = (tmp_path / "latent.csv").read_text().splitlines()
    assert first == ",".join(f"latent_{i}" for i in range(16))
    assert second == ",".join(map(str, range(16))) and third == ",".join(map(str, range(16, 32)))


def replaced(row: str, column: int, value: str) -> str:
    fields = row.split(",")
    fields[column] = value
    return ",".join(fields)


BAD = {
    "empty file": ([], "line 1: empty"),
    "no rows": ([HEADER], "a header but no rows"),
    "short row": ([HEADER, ROWS[0], "1,2,3"], "line 3: 3 columns, expected 48"),
    "long row": ([HEADER, ROWS[0], ROWS[1] + ",5"], "line 3: 49 columns, expected 48"),
    "word": ([HEADER, ROWS[0], replaced(ROWS[1], 7, "abc")], "line 3, column CALQ_7: 'abc', expected an integer"),
    "float": ([HEADER, replaced(ROWS[0], 2, "1.5")], "line 2, column CALQ_2: '1.5', expected an integer"),
    "float in the first line": ([replaced(ROWS[0], 2, "1.5")], "line 1, column CALQ_2: '1.5', expected an integer"),
    "hole in the first line": ([replaced(ROWS[0], 2, "")], "row 1, column CALQ_2: empty"),
    "word in the first line": ([replaced(ROWS[0], 2, "n.a.")], "line 1, column CALQ_2: 'n.a.', expected an integer"),
    "infinite": ([HEADER, replaced(ROWS[0], 2, "inf")], "line 2, column CALQ_2: 'inf', expected an integer"),
    "float too large": ([HEADER, replaced(ROWS[0], 2, "4194304.0")], "data row 1, column CALQ_2: 4194304, expected"),
    "semicolons": ([HEADER.replace(",", ";"), *ROWS], "line 1: fields are separated by semicolons, expected commas"),
    "semicolons, no header": ([ROWS[0].replace(",", ";")], "line 1: fields are separated by semicolons"),
    "tabs": ([ROWS[0].replace(",", "\t")], "line 1: fields are separated by tabs, expected commas"),
    "blanks": ([ROWS[0].replace(",", " ")], "line 1: fields are separated by blanks, expected commas"),
    "last comma": ([row + "," for row in ROWS], "line 1: 49 columns and no header, expected 48"),
    "binary": (["\0\1\2"], "holds binary data, expected CSV"),
    "negative": ([HEADER, replaced(ROWS[0], 47, "-1")], "line 2, column CALQ_47: '-1', expected an integer"),
    "hole": ([HEADER, ROWS[0], replaced(ROWS[1], 0, "")], "row 2, column CALQ_0: empty"),
    "too large": ([HEADER, replaced(ROWS[0], 0, str(MAX_CALQ + 1))], f"column CALQ_0: {MAX_CALQ + 1}, expected"),
    "far too large": ([HEADER, replaced(ROWS[0], 0, "9" * 30)], "line 2, column CALQ_0: '999"),
    "missing column": ([HEADER.replace("CALQ_9,", "x,"), *ROWS], "column CALQ_9 is missing"),
    "repeated column": ([HEADER + ",CALQ_3", *[row + ",1" for row in ROWS]], "column CALQ_3 is given twice"),
    "unnamed column": ([row + ",1" for row in ROWS], "line 1: 49 columns and no header, expected 48"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("nrows", [None, 5])
def test_bad_csv_is_one_line(tmp_path: Path, case: str, nrows: int | None) -> None:
    lines, message = BAD[case]
    path = tmp_path / "calq.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=message) as error:
        read_calq(path, nrows_per_file=nrows)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)
    with pytest.raises(InputError) as by_pieces:
        list(calq_pieces(path))
    assert str(by_pieces.value) == str(error.value)


def test_bad_parquet_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "calq.parquet"
    path.write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="not readable as Parquet"):
        read_calq(path)
    pd.DataFrame(CHARGES > 0, columns=CALQ_COLUMNS).to_parquet(path)
    with pytest.raises(InputError, match="column CALQ_0 has type bool, expected integers"):
        read_calq(path)
    pd.DataFrame(CHARGES + 0.5, columns=CALQ_COLUMNS).to_parquet(path)
    with pytest.raises(InputError, match=r"row 1, column CALQ_0: 1\.5, expected an integer"):
        read_calq(path)
    pd.DataFrame(CHARGES - 2, columns=CALQ_COLUMNS).to_parquet(path)
    with pytest.raises(InputError, match="row 1, column CALQ_0: -1"):
        read_calq(path)


def test_text_of_another_encoding_is_one_line(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-16-be"):
        (tmp_path / "calq.csv").write_bytes(("\ufeff" + HEADER).encode(encoding))
        with pytest.raises(InputError, match="text in UTF-16, expected UTF-8"):
            read_calq(tmp_path / "calq.csv")


def test_pipes_are_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_text, args=("\n".join([HEADER, *ROWS]),))
    writer.start()
    np.testing.assert_array_equal(read_calq(pipe, "image").calq, CHARGES)
    writer.join()


def test_folder_without_data_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no data file in this folder"):
        read_calq(tmp_path)
    with pytest.raises(InputError, match="no input file given"):
        read_calq([])
    with pytest.raises(FileNotFoundError):
        read_calq(tmp_path / "missing.csv")


def test_published_file_is_read_as_it_stands(shared_data: Path) -> None:
    path = shared_data / "CALQ_output.csv"
    np.testing.assert_array_equal(read_calq(path, "tc").calq, pd.read_csv(path).to_numpy()[:, image_order()])
