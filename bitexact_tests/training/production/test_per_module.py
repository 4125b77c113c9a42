"""Every module of a file with the weights of its link class."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pa_parquet
import pytest
import typer
from typer.testing import CliRunner

from bitexact_tests.samples.geometry_file import GEOMETRY
from emulator import encode
from emulator.file_encoder import FileEncoder
from models.calq_io import write_calq
from models.errors import InputError
from models.register_weights import for_encoder
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from training.commands.encode import encode as command
from training.production import per_module
from training.production.geometry_file import read_module_list
from training.production.per_module import LinkClasses, encode_modules
from training.production.toy import generate

N = 300
LINKS = {(1, 1, 3): 5, (1, 2, 2): 3, (1, -3, -2): 5, (1, 3, 5): 1, (2, 1, 3): 0, (1, 12, 12): -1, (27, 9, 3): 9}
"""Links by layer, u, v of the sample of a geometry file; -1: not in it."""


@pytest.fixture
def modules() -> pd.DataFrame:
    place = np.array(list(LINKS))[np.arange(N) * 5 % len(LINKS)]
    rng = np.random.default_rng(1)
    return pd.DataFrame({"event": np.arange(N) // 10, "Layer": place[:, 0], "ModU": place[:, 1], "ModV": place[:, 2],
                         "zside": rng.choice([-1, 1], N), "energy": rng.exponential(3, N), "entry": np.arange(N)})


@pytest.fixture
def sets(tmp_path: Path) -> dict[int, EncoderWeights]:
    """Weights for 2 and 5 links, in files."""
    found = {n: EncoderWeights.random(EncoderSpec.chip(n), n, density=0.3) for n in (2, 5)}
    for n, weights in found.items():
        weights.save(tmp_path / f"weights_{n}.npz")
    (tmp_path / "geometry.txt").write_text(GEOMETRY)
    return found


def classes(folder: Path, *links: int) -> LinkClasses:
    return LinkClasses.of(FileEncoder.load(folder / f"weights_{n}.npz") for n in links)


@pytest.mark.parametrize("order", ["tc", "image"])
@pytest.mark.parametrize("rows", [7, 1000])
def test_each_module_has_the_latents_of_its_class(
    order: str, rows: int, modules: pd.DataFrame, sets: dict[int, EncoderWeights], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(per_module, "ROWS", rows)
    calq = generate(N, seed=3)
    write_calq(tmp_path / "calq.parquet", calq, order, modules)  # type: ignore[arg-type]
    counts = encode_modules([tmp_path / "calq.parquet"], tmp_path / "latents.parquet", classes(tmp_path, 5, 2),
                            read_module_list(tmp_path / "geometry.txt"), order)  # type: ignore[arg-type]
    links = np.array([LINKS[tuple(place)] for place in modules[["Layer", "ModU", "ModV"]].to_numpy().tolist()])  # type: ignore[index]
    assert counts == {"left_out": (links == 0).sum() + (links == 1).sum(), "not_found": (links == -1).sum(),
                      "links 3": (links == 3).sum(), "links 5": (links == 5).sum(), "links 9": (links == 9).sum()}
    found = pa_parquet.read_table(tmp_path / "latents.parquet").to_pandas()
    kept = links >= 2
    np.testing.assert_array_equal(found["n_elinks"], links[kept])
    np.testing.assert_array_equal(found["link_class"], np.where(links[kept] < 5, 2, 5))
    latent = found[[f"latent_{i}" for i in range(16)]].to_numpy()
    for n, weights in sets.items():
        here = kept & ((links >= 5) == (n == 5))
        trace = encode(weights, calq[here])
        np.testing.assert_array_equal(latent[here[kept]], trace["latent_code"])
        np.testing.assert_array_equal(found["sum"][here[kept]], trace["module_sum"])
    for name, column in (("event", "event"), ("layer", "Layer"), ("waferu", "ModU"), ("waferv", "ModV"),
                         ("energy", "energy"), ("zside", "zside")):
        np.testing.assert_array_equal(found[name], modules[column][kept])
    assert (np.sign(found["eta"]) == found["zside"]).all() and set(found["wafertype"]) == {0, 1, 2}
    assert "entry" not in found and not [name for name in found if name.startswith("CALQ")]


def test_a_table_of_numpy_arrays_holds_the_same(
    modules: pd.DataFrame, sets: dict[int, EncoderWeights], tmp_path: Path
) -> None:
    """By layer: those of layer 1, 2 and 27 have two links."""
    write_calq(tmp_path / "calq.csv", generate(N, seed=3), "tc", modules)
    for name in ("found.parquet", "found.npz"):
        assert encode_modules([tmp_path / "calq.csv"], tmp_path / name, classes(tmp_path, 2, 5), None) == {
            "left_out": 0, "links 2": N}
    table = pa_parquet.read_table(tmp_path / "found.parquet").to_pandas()
    arrays = np.load(tmp_path / "found.npz")
    np.testing.assert_array_equal(arrays["latent"], table[[f"latent_{i}" for i in range(16)]].to_numpy())
    assert [name for name in arrays if name != "latent"] == [name for name in table if not name.startswith("latent_")]
    for name in arrays:
        if name != "latent":
            np.testing.assert_array_equal(arrays[name], table[name])
    assert arrays["latent"].dtype == np.uint16


def test_the_mask_of_a_register_file_counts(modules: pd.DataFrame, tmp_path: Path) -> None:
    weights = EncoderWeights.random(EncoderSpec.chip(5), 5, density=0.3)
    registers = for_encoder(weights).with_values({"FMTBUF_ALL.mask_ae": 0b101, "FMTBUF_ALL.mask_ae2": 0})
    registers.save(tmp_path / "init.yaml")
    write_calq(tmp_path / "calq.csv", generate(N, seed=3), "tc", modules.assign(Layer=9))
    encode_modules([tmp_path / "calq.csv"], tmp_path / "found.npz",
                   LinkClasses.of([FileEncoder.load(tmp_path / "init.yaml")]), None)
    output = encode(weights, generate(N, seed=3))["output_code"]
    latent = np.load(tmp_path / "found.npz")["latent"]
    np.testing.assert_array_equal(latent[:, 0], (output[:, 0] & 1) | (output[:, 0] >> 2 & 1) << 1)
    assert not latent[:, 1:].any() and latent[:, 0].any()


def run(folder: Path, *options: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(command)
    found = CliRunner().invoke(app, ["--input", str(folder / "calq.parquet"), "--output", str(folder / "out.parquet"),
                                     *options])
    return found.exit_code, found.output if not found.exception else f"{found.output}{found.exception}"


def test_command(modules: pd.DataFrame, sets: dict[int, EncoderWeights], tmp_path: Path) -> None:
    write_calq(tmp_path / "calq.parquet", generate(N, seed=3), "tc", modules)
    both = ["--weights", str(tmp_path / "weights_5.npz"), "--weights", str(tmp_path / "weights_2.npz")]
    status, shown = run(tmp_path, "--per-module", *both, "--modules", str(tmp_path / "geometry.txt"))
    assert status == 0, shown
    assert "links 3" in shown and "weights_2.npz" in shown and "not found" in shown
    status, shown = run(tmp_path, "--per-module", *both, "--modules", str(tmp_path / "geometry.txt"), "--json",
                        str(tmp_path / "n.json"), "--csv", str(tmp_path / "n.csv"))
    rows = json.loads((tmp_path / "n.json").read_text())
    assert sum(row["modules"] for row in rows) == N and status == 0
    assert pd.read_csv(tmp_path / "n.csv").replace({np.nan: None}).to_dict("records") == rows
    made = pa_parquet.read_table(tmp_path / "out.parquet").to_pandas().n_elinks.value_counts()
    assert {row["modules_with"]: row["modules"] for row in rows if row["weights"]} == {
        f"links {n}": count for n, count in made.items()}
    for row in rows:
        n = row["modules_with"].removeprefix("links ")
        assert row["weights"] == (f"{tmp_path}/weights_{5 if int(n) >= 5 else 2}.npz" if n.isdigit() else None)
    for options, message in (
        (["--per-module", *both, "--weights", both[1]], "for 5 links, as"),
        (both, "2 sets of weights, expected one; --per-module takes several"),
        ([*both[:2], "--modules", "x"], "--modules needs --per-module"),
        ([*both[:2], "--json", "-"], "--json needs --per-module"),
        (["--per-module", *both, "--trace", "t.npz"], "--trace and --per-module exclude each other"),
        (["--per-module", *both, "--output", str(tmp_path / "out.txt")], "expected a name that ends in"),
        (["--per-module", *both, "--output", "-"], "reads and writes files, not -"),
    ):
        status, shown = run(tmp_path, *options)
        assert status and message in " ".join(shown.split())


def test_a_folder_of_files_on_two_workers(
    modules: pd.DataFrame, sets: dict[int, EncoderWeights], tmp_path: Path
) -> None:
    """Each file becomes the file that it becomes alone; one without modules to encode becomes none."""
    pytest.importorskip("distributed")
    (tmp_path / "wafers").mkdir()
    calq = generate(N, seed=3)
    for k in range(3):
        table = modules.assign(Layer=26, ModU=9, ModV=9) if k == 1 else modules
        write_calq(tmp_path / "wafers" / f"part_{k}.parquet", np.roll(calq, k, axis=0), "tc", table)
    links = str(tmp_path / "geometry.txt")
    options = ["--per-module", *(f"--weights={tmp_path}/weights_{n}.npz" for n in (2, 5)), f"--modules={links}",
               f"--input={tmp_path / 'wafers'}", f"--output={tmp_path / 'latents'}"]
    status, shown = run(tmp_path, *options, "--workers=2")
    assert status == 0 and "3 parts in" in shown and "links 3" in shown, shown
    assert {path.name for path in (tmp_path / "latents").glob("*.parquet")} == {"part_0.parquet", "part_2.parquet"}
    for k in (0, 2):
        encode_modules([tmp_path / "wafers" / f"part_{k}.parquet"], tmp_path / "alone.parquet", classes(tmp_path, 2, 5),
                       read_module_list(Path(links)))
        assert (tmp_path / "latents" / f"part_{k}.parquet").read_bytes() == (tmp_path / "alone.parquet").read_bytes()
    written = (tmp_path / "latents" / "part_0.parquet").stat().st_mtime_ns
    assert run(tmp_path, *options)[0] == 0
    assert (tmp_path / "latents" / "part_0.parquet").stat().st_mtime_ns == written, "a finished part is done again"
    status, shown = run(tmp_path, *options, "--order=image")
    assert status and "with other options" in shown
    status, shown = run(tmp_path, *options, f"--output={tmp_path / 'latents.parquet'}", "--workers=2")
    assert status and "--workers needs --per-module and a folder as --output" in shown


def test_no_module_left_leaves_no_file(modules: pd.DataFrame, sets: dict[int, EncoderWeights], tmp_path: Path) -> None:
    write_calq(tmp_path / "calq.csv", generate(N, seed=3), "tc", modules)
    for name in ("found.parquet", "found.npz"):
        with pytest.raises(InputError, match=r"not written, as no rows are left"):
            encode_modules([tmp_path / "calq.csv"], tmp_path / name, classes(tmp_path, 5), None)
        assert not (tmp_path / name).exists()


def test_latents_of_another_number_do_not_fit(sets: dict[int, EncoderWeights], tmp_path: Path) -> None:
    other = EncoderSpec.chip(3).evolve(dense={"outputs": 8})
    EncoderWeights.random(other, 1).save(tmp_path / "weights_3.npz")
    with pytest.raises(InputError, match=r"weights_5.npz: 16 latents, expected 8 as .*weights_3.npz"):
        classes(tmp_path, 5, 3)
