"""Folders that an error leaves behind: none that is new and empty."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.command_line import econ_t
from models.files import atomic_directory, atomic_path, made_folder

HEADER = ",".join(f"CALQ_{k}" for k in range(48)) + ",layer,waferu,waferv\n"
BAD = HEADER + ",".join(["1"] * 47 + ["x", "5", "1", "1\n"])
PER_MODULE = ["encode", "--per-module", "--weights", "econ_t_2elink", "--weights", "econ_t_5elink"]


@pytest.mark.parametrize("make", [atomic_path, atomic_directory, made_folder], ids=lambda one: one.__name__)
def test_new_folders_go_with_an_error_and_older_ones_stay(tmp_path: Path, make: type) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(ValueError, match="wrong"), make(tmp_path / "old" / "a" / "b" / "result"):
        raise ValueError("wrong")
    assert [*tmp_path.rglob("*")] == [tmp_path / "old"]


def test_a_folder_with_something_in_it_stays(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    for names in (["lock"], ["lock", "result"]):
        with pytest.raises(FileExistsError), made_folder(folder, besides=["lock"]):
            [(folder / name).touch(exist_ok=False) for name in [*names, names[-1]]]
        assert sorted(path.name for path in tmp_path.rglob("*")) == ([] if len(names) == 1 else ["a", "b", *names])


@pytest.mark.parametrize("command", [
    [*PER_MODULE, "--input", "bad.csv", "--output", "out/x"],
    [*PER_MODULE, "--input", "bad.csv", "--output", "out/x.parquet"],
    ["encode", "--weights", "econ_t_5elink", "--input", "bad.csv", "--output", "out/latent.csv"],
    ["data", "split", "bad.csv", "--output", "out"], ["data", "skim", "bad.csv", "--output", "out"],
    ["data", "double", "bad.csv", "--output", "out"], ["data", "shuffle", "bad.csv", "--output", "out/x.csv"],
    ["data", "validate", "bad.csv", "--output", "out/x.svg"],
    ["evaluate", "--weights", "econ_t_5elink", "--input", "bad.csv", "--json", "out/x.json"],
    ["show", "--run", "econ_t_5elink", "--input", "bad.csv", "--row", "0", "--output", "out/x.svg"],
    pytest.param([*PER_MODULE, "--input", "bad.csv", "--output", "out", "--workers", "2"], marks=pytest.mark.slow),
    pytest.param(["train", "--config", "econ_t_5elink", "--data", "bad.csv", "--output", "out/x"],
                 marks=pytest.mark.slow)], ids=lambda one: " ".join(one[:2] + one[-2:]))
def test_no_command_leaves_an_empty_folder_after_an_input_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.csv").write_text(BAD)
    result = CliRunner().invoke(econ_t(), command)
    assert result.exit_code == 2 and "bad.csv: line 2, column CALQ_47: 'x'" in result.stderr, result.output
    assert [*Path().iterdir()] == [Path("bad.csv")]
