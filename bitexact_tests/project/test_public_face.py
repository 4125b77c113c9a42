"""The public names of the packages: which they are, that all resolve, and that importing a package costs nothing."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.conftest import REPOSITORY
from emulator import EconT, encode
from models import Config, EncoderSpec, EncoderWeights, FixedPoint, Registers
from models.calq_io import read_calq, write_calq
from models.notebook import wafer_svg
from models.register_weights import for_encoder

FACES = {
    "models": ["Algorithm", "Config", "Dialect", "EncoderSpec", "EncoderWeights", "FixedPoint", "InputError",
               "Registers", "Revision", "load_weights", "read_calq", "write_calq"],
    "emulator": ["Decoded", "EconT", "Frames", "STAGES", "Trace", "decode", "encode", "verify_sets"],
    "hls": ["BACKENDS", "convert", "implementations", "run_csim"],
    "rtl": ["AutoencoderChip", "PROOFS", "Simulation", "prove", "synthesise", "write_verilog"],
    "training": ["Dataset", "Run", "Trainer", "compare", "emd", "evaluate", "generate", "train", "write_report"],
    "training.data": ["Dataset", "load_modules", "occupancy_weights", "select", "split_rows"],
    "training.figures": ["area_against_emd", "critical_bits", "draw_wafer", "histogram", "image_display", "kernels",
                         "learning_curves", "profile", "slices", "wafer_display", "weight_histograms"],
    "training.losses": ["emd", "find_loss", "kernel", "load_emd_loss", "sinkhorn", "telescope", "train_family",
                        "weighted_mse"],
    "training.networks": ["NETWORKS", "Network", "build_decoder", "configure", "decode", "export_graphs",
                          "load_decoder", "save_decoder", "training_encoder"],
    "training.physics": ["Bootstrap", "METRICS", "Options", "Scheme", "classical_schemes", "compare", "evaluate",
                         "evaluate_run", "event_metrics", "load_autoencoder", "profile"],
    "training.report": ["write_report"],
}


@pytest.mark.parametrize("package", FACES)
def test_exported_names(package: str) -> None:
    face = importlib.import_module(package)
    assert face.__all__ == sorted(FACES[package]) == dir(face)
    for name in face.__all__:
        assert not isinstance(getattr(face, name), type(sys)), f"{package}.{name} is a module"


@pytest.mark.parametrize("package", FACES)
def test_type_checkers_see_the_same_names(package: str) -> None:
    source = (REPOSITORY / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
    typed = {(node.module, alias.asname) for branch in ast.parse(source).body if isinstance(branch, ast.If)
             for node in branch.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    face = importlib.import_module(package)
    assert {name for _, name in typed} == set(face.__all__)
    for module, name in typed:
        assert getattr(importlib.import_module(str(module)), str(name)) is getattr(face, str(name))


@pytest.mark.parametrize("package", FACES)
def test_no_public_name_is_that_of_a_submodule(package: str) -> None:
    """Importing the submodule would put it in the place of the name."""
    folder = REPOSITORY / package.replace(".", "/")
    assert {path.stem for path in folder.iterdir()} & set(FACES[package]) == set()


@pytest.mark.parametrize("package", FACES)
def test_import_loads_nothing_but_the_package(package: str) -> None:
    code = f"import sys, {package}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    bare = subprocess.run([sys.executable, "-c", "import sys; import typing, importlib; print(*sys.modules)"],
                          cwd=REPOSITORY, capture_output=True, text=True, check=True)
    new = set(loaded.stdout.split()) - set(bare.stdout.split()) - set(sys.stdlib_module_names)
    assert new <= {package.partition(".")[0], "models"}


def test_chip_needs_numpy_alone() -> None:
    code = "import sys; from emulator import EconT, decode, encode; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found = {name.partition(".")[0] for name in loaded.stdout.split()}
    assert "numpy" in found and not found & {"yaml", "pydantic", "pandas", "pyarrow", "typer", "rich", "tensorflow"}


def test_unknown_name_is_an_attribute_error_with_a_hint() -> None:
    import emulator

    with pytest.raises(AttributeError, match=r"module 'emulator' has no attribute 'encodes'") as caught:
        _ = emulator.encodes  # type: ignore[attr-defined]
    assert caught.value.name == "encodes" and caught.value.obj is emulator


@pytest.mark.parametrize("package", sorted({*FACES} - {"training.report"}))  # one name, on the page of training
def test_every_public_name_is_in_the_table_of_its_page(package: str) -> None:
    page = REPOSITORY / "docs" / "reference" / "python" / f"{package.replace('.', '-')}.md"
    lines = page.read_text(encoding="utf-8").splitlines()
    named = re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in lines if line.startswith("| `")))
    assert sorted(named) == FACES[package]


SPEC = EncoderSpec.chip(3)
WEIGHTS = EncoderWeights.random(SPEC, 1)
CHIP = EconT(for_encoder(WEIGHTS))


def test_reprs_are_one_short_line(tmp_path: Path) -> None:
    write_calq(tmp_path / "calq.csv", np.ones((5, 48), np.int64))
    frames = CHIP.run(np.zeros((5, 12), np.int64))
    results = [SPEC, Config.load("econ_t_3elink"), WEIGHTS, CHIP, CHIP.registers, Registers.reset(), frames,
               frames.trace, encode(WEIGHTS, np.ones((5, 48), np.int64)), read_calq(tmp_path / "calq.csv")]
    for result in results:
        assert len(repr(result)) < 200 and "\n" not in repr(result)
    assert repr(CHIP) == "<EconT: p1 chip, AE on 3 links (registers)>"
    assert repr(frames).startswith("<Frames of 5 bunch crossings")
    assert f"{np.count_nonzero(WEIGHTS.flat == 0)} of them zero" in repr(WEIGHTS)


def test_repr_of_a_format_makes_it_again() -> None:
    form = FixedPoint.parse("S1.5 half_even saturate")
    assert eval(repr(form)) == form


def test_repr_of_registers_that_no_chip_takes() -> None:
    assert "algorithm 7" in repr(Registers(bytes([255]) * 0x0C00))


def test_tables_of_notebooks_hold_what_they_are_of() -> None:
    table = WEIGHTS._repr_html_()
    for name, array in WEIGHTS.arrays.items():
        assert f"<tr><td>{name}</td><td>{' x '.join(map(str, array.shape))}</td><td>{array.min()}</td>" in table
    assert encode(WEIGHTS, np.zeros((0, 48), np.int64))._repr_html_().count("<tr>") == 9


def test_wafer_map_is_darkest_where_the_charge_is() -> None:
    charge = np.zeros(48, np.int64)
    charge[[7, 9]] = 40, 10
    cells = wafer_svg(charge).split("<polygon")[1:]
    assert len(cells) == 48
    assert 'fill-opacity="1.000"' in cells[7] and "TC 7: 40 CALQ" in cells[7]
    assert 'fill-opacity="0.250"' in cells[9] and sum('fill-opacity="0.000"' in cell for cell in cells) == 46
