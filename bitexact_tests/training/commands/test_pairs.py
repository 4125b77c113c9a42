"""What one command writes the next one reads: every writer of module charges before every reader, and link words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from bitexact_tests.samples import ntuples
from models.calq_io import read_calq
from models.command_line import LazyGroup, econ_t
from models.config import Config
from models.weights import EncoderWeights
from training.commands.data import app
from training.data.dataset import Dataset
from training.production.modules import COLUMNS
from training.production.transform import PLACE, is_whole

pytest.importorskip("uproot")

WRITERS = ("from-ntuple parquet", "from-ntuple csv", "split csv", "split parquet", "skim csv", "skim parquet",
           "double csv", "double parquet", "shuffle csv", "shuffle csv.gz", "shuffle parquet", "generate csv",
           "generate csv.gz", "generate parquet")
READERS = ("split", "skim", "double", "shuffle", "validate", "generate", "encode", "compare", "train")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(econ_t(), list(map(str, arguments)))


def done(*arguments: object) -> Result:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def ntuple(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two events: one in which the process left nothing in a module, so that its fraction is 0, a whole number."""
    rng = np.random.default_rng(4)
    events = [ntuples.event(rng, n, cells) for n, cells in ((30, 48), (25, 20))]
    events[0]["tc_simenergy"][events[0]["tc_layer"] > 20] = 0
    return ntuples.write(tmp_path_factory.mktemp("ntuple") / "n.root", events)


@pytest.fixture(scope="module")
def written(ntuple: Path) -> Callable[[str], Path]:
    """The file or folder that a writer leaves, each made once, out of what `from-ntuple` wrote as Parquet."""
    folder = ntuple.parent
    files: dict[str, Path] = {}

    def make(writer: str) -> Path:
        if writer in files:
            return files[writer]
        command, _, suffix = writer.partition(" ")
        output = folder / writer.replace(" ", "_")
        if command == "generate":
            output = output.with_suffix(f".{suffix}")
            done("data", "generate", "--source", "toy", "--n-modules", 40, "--output", output)
        elif command == "from-ntuple":
            done("data", command, ntuple, "--output", output, "--format", suffix)
        elif command == "shuffle":
            output = output.with_suffix(f".{suffix}")
            done("data", command, make("from-ntuple parquet"), "--output", output)
        else:
            keep = ["--partial", "--min-sim-energy", "-1"] if command == "skim" else []
            done("data", command, *keep, make("from-ntuple parquet"), "--output", output, "--format", suffix)
            if command == "split":
                output = output / "nElinks_2"
        files[writer] = output
        return output

    return make


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("writer", WRITERS)
def test_every_reader_reads_what_every_writer_wrote(
    written: Callable[[str], Path], tmp_path: Path, writer: str, reader: str
) -> None:
    path, output = written(writer), tmp_path / "out"
    table = read_calq(path)
    n_rows, with_place = len(table.calq), not writer.startswith("generate")
    assert list(table.extra.columns[: len(COLUMNS)]) == (list(COLUMNS) if with_place else [])
    if reader == "split":
        result = call("data", "split", path, "--output", output)
        if not with_place:
            assert result.exit_code == 2 and "column layer is missing" in result.stderr
            return
        assert result.exit_code == 0, result.output
        assert sum(len(read_calq(file).calq) for file in output.rglob("*.csv")) == n_rows
    elif reader == "skim":
        done("data", "skim", path, "--partial", "--min-sim-energy", -1, "--min-charge", 0, "--output", output)
        assert_array_equal(read_calq(output).calq, table.calq)
    elif reader == "double":
        done("data", "double", path, "--output", output)
        assert_array_equal(read_calq(output).calq[:n_rows], table.calq)
    elif reader == "shuffle":
        done("data", "shuffle", path, "--output", tmp_path / "out.parquet")
        assert sorted(map(tuple, read_calq(tmp_path / "out.parquet").calq)) == sorted(map(tuple, table.calq))
    elif reader == "validate":
        done("data", "validate", f"sample={path}", "--output", tmp_path / "out.svg")
    elif reader == "generate":
        result = done("data", "generate", "--source", "toy", "--n-modules", 10, "--output", tmp_path / "toy.csv",
                      "--compare-to", path)
        assert "generated" in result.output
    elif reader == "encode":
        EncoderWeights.random(Config.load("econ_t_5elink").encoder, 3).save(tmp_path / "weights.npz")
        done("encode", "--weights", tmp_path / "weights.npz", "--input", path, "--output", tmp_path / "latent.csv")
        assert len((tmp_path / "latent.csv").read_text().splitlines()) == n_rows + 1
    elif reader == "compare":
        done("compare", "--input", path, "--links", 5, "--json", tmp_path / "physics.json", "--min-charge", 0,
             "--n-processes", 1)
    else:
        data = {"files": [str(path)], "mask_energies": 0.0 if with_place else None, "mask_partials": with_place}
        dataset = Dataset.from_config(Config.load("econ_t_5elink").override(data=data))
        kept = np.ones(n_rows, dtype=bool)
        if with_place:
            whole = is_whole(*(table.extra[name].to_numpy() for name in PLACE))
            kept = whole & (table.extra.SimEnergyFraction > 0).to_numpy()
        assert_array_equal(dataset.modules.calq, table.calq[kept])


def test_every_writer_and_reader_of_charges_is_in_the_list() -> None:
    """A new command of `data` has to be added above."""
    group = app.info.cls
    assert group is not None and issubclass(group, LazyGroup)
    assert set(group.table) == {name.split()[0] for name in (*WRITERS, *READERS)} - {"encode", "compare", "train"}


def test_words_and_registers_of_each_module_run_through_the_chip(ntuple: Path, tmp_path: Path) -> None:
    done("data", "from-ntuple", ntuple, "--erx", "--output", tmp_path)
    words = sorted((tmp_path / "erx" / "n_0000000").glob("*.csv"))[0]
    done("chip", "--registers", words.with_suffix(".yaml"), "--input", words, "--output", tmp_path / "etx.csv")
    done("chip", "decode", "--registers", words.with_suffix(".yaml"), "--input", tmp_path / "etx.csv", "--output",
         tmp_path / "fields.csv")
    assert len((tmp_path / "fields.csv").read_text().splitlines()) == len(words.read_text().splitlines())


@pytest.mark.parametrize("dialect", ["p1-nested", "p1-flat", "production"])
def test_register_files_go_into_every_command_that_takes_one(
    written: Callable[[str], Path], tmp_path: Path, dialect: str
) -> None:
    weights = EncoderWeights.random(Config.load("econ_t_5elink").encoder, 3, density=0.3)
    weights.save(tmp_path / "weights.npz")
    registers = tmp_path / "init.yaml"
    done("registers", "--weights", tmp_path / "weights.npz", "--output", registers, "--dialect", dialect)
    done("registers", "--registers", registers, "--weights", tmp_path / "back.npz")
    assert_array_equal(EncoderWeights.load(tmp_path / "back.npz", weights.spec).flat, weights.flat)
    done("registers", "convert", "--registers", registers, "--output", tmp_path / "flat.yaml", "--dialect", dialect)
    latents = []
    for one in (tmp_path / "weights.npz", tmp_path / "back.npz", registers, tmp_path / "flat.yaml"):
        done("encode", "--weights", one, "--input", written("skim csv"), "--output", tmp_path / "latent.csv")
        latents.append((tmp_path / "latent.csv").read_text())
    assert len(set(latents)) == 1
