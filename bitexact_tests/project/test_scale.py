"""The benchmark of many workers compares files that jobs have finished, and no others."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bitexact_tests.bench.scale import digests
from models.files import atomic_path


def test_what_a_killed_process_had_begun_is_no_file_of_a_job(tmp_path: Path) -> None:
    (tmp_path / "encode").mkdir()
    (tmp_path / "encode" / "part-0.parquet").write_bytes(b"whole")
    with atomic_path(tmp_path / "encode" / "part-1.parquet") as begun:
        begun.write_bytes(b"half")
        found = digests(tmp_path)
    assert found == {"encode/part-0.parquet": hashlib.sha256(b"whole").hexdigest()}
