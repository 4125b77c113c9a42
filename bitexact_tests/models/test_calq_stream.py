"""Files of charges and latents piece by piece: the same as at once, in memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from models.calq_io import MAX_CALQ, read_calq, write_calq, write_latent_pieces, write_latents
from models.calq_stream import calq_pieces
from models.errors import InputError
from training.production.stream import read_tables

CHARGES = np.random.default_rng(1).integers(0, MAX_CALQ + 1, (11, 48))
LATENTS = np.random.default_rng(2).integers(0, 512, (11, 16), dtype=np.int32)
SUFFIXES = (".csv", ".csv.gz", ".parquet")


@pytest.mark.parametrize("order", ["tc", "image"])
@pytest.mark.parametrize("rows", [1, 3, 5, 6, 7, 11, 12, 17, 100])
def test_pieces_of_any_length_are_the_files(tmp_path: Path, rows: int, order: str) -> None:
    """Across files of all formats; what else a file holds is not looked at."""
    extra = pd.DataFrame({"name": ["a", "b", "c", "1", "2", "x"]})
    write_calq(tmp_path / "a.csv", CHARGES[:5], order)  # type: ignore[arg-type]
    write_calq(tmp_path / "b.parquet", CHARGES[5:], order, extra)  # type: ignore[arg-type]
    write_calq(tmp_path / "c.csv.gz", CHARGES[:6], order, extra)  # type: ignore[arg-type]
    pieces = list(calq_pieces([tmp_path], order, rows))  # type: ignore[arg-type]
    assert [len(piece) for piece in pieces] == [min(rows, 17 - start) for start in range(0, 17, rows)]
    np.testing.assert_array_equal(np.concatenate(pieces), np.concatenate([CHARGES, CHARGES[:6]]))
    np.testing.assert_array_equal(np.concatenate(pieces), read_calq(tmp_path, order).calq)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_piece_is_there_before_the_rest_is_read(tmp_path: Path, suffix: str) -> None:
    """The last charge of the file is bad: whoever reads it whole has no first piece."""
    path = tmp_path / f"calq{suffix}"
    calq = np.tile(CHARGES % 100, (2000, 1)).astype(np.int64)
    calq[-1, -1] = MAX_CALQ + 1
    write_calq(path, calq, "image")
    pieces = calq_pieces(path, "image", 100)
    np.testing.assert_array_equal(next(pieces), calq[:100])
    with pytest.raises(InputError, match=f"row {len(calq)}, column CALQ_47: {MAX_CALQ + 1}, expected an integer"):
        list(pieces)


@pytest.mark.parametrize("reader", [calq_pieces, read_tables])
def test_row_groups_that_were_read_are_not_kept(
    tmp_path: Path, reader: Callable[..., Iterator[np.ndarray | pa.Table]]
) -> None:
    """15 MB of charges that do not pack, of which a piece and a row group take less than one."""
    charges = np.random.default_rng(1).integers(0, MAX_CALQ + 1, (80_000, 48), dtype=np.uint32)
    table = pa.table({f"CALQ_{i}": column for i, column in enumerate(charges.T)})
    pa_parquet.write_table(table, tmp_path / "calq.parquet", row_group_size=2000, use_dictionary=False)
    del table
    before = pa.total_allocated_bytes()
    used = [pa.total_allocated_bytes() for _ in reader([tmp_path / "calq.parquet"], rows=2000)]
    assert len(used) == 40 and max(used) < before + (6 << 20)


def test_names_of_columns_that_are_numbers(tmp_path: Path) -> None:
    pd.DataFrame(CHARGES).set_axis(map(str, range(48)), axis=1).to_parquet(tmp_path / "calq.parquet")
    np.testing.assert_array_equal(np.concatenate(list(calq_pieces(tmp_path, "image", 4))), CHARGES)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("rows", [1, 4, 11])
def test_latents_written_in_pieces_are_those_written_at_once(tmp_path: Path, rows: int, suffix: str) -> None:
    write_latents(tmp_path / f"whole{suffix}", LATENTS)
    path = tmp_path / f"pieces{suffix}"
    write_latent_pieces(path, (LATENTS[start : start + rows] for start in range(0, 11, rows)))
    if suffix == ".parquet":
        pd.testing.assert_frame_equal(pd.read_parquet(path), pd.read_parquet(tmp_path / "whole.parquet"))
    else:
        assert path.read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


@pytest.mark.parametrize("target", ["latent.csv", "-"])
def test_nothing_appears_if_a_later_piece_fails(
    tmp_path: Path, target: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def pieces() -> Iterator[np.ndarray]:
        yield LATENTS
        raise InputError("bad")

    (tmp_path / "latent.csv").write_text("older")
    with pytest.raises(InputError, match="bad"):
        write_latent_pieces(tmp_path / target if target != "-" else target, pieces())
    assert [path.read_text() for path in tmp_path.iterdir()] == ["older"]
    assert capfdbinary.readouterr().out == b""
