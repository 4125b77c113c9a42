"""The command `import`: what it says of a file, and the share of latents that are the network's own."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples.foreign import SPEC, build
from emulator.latent_check import check_latents, exact_spec, random_modules
from models.keras_file import import_encoder
from models.spec import EncoderSpec
from models.weights import EncoderWeights


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "models", "import", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False,
                          env=os.environ | environment)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("import")
    files: dict[str, dict[str, Any]] = {
        "plain": {}, "scaled": {"weight": "quantized_bits(6,0,alpha='auto')"},
        "signed": {"hidden": "quantized_bits(8,1,alpha=1)", "latent": "quantized_bits(9,1,alpha=1)"},
    }
    for name, options in files.items():
        build(**options).save(path / f"{name}.h5")
    build().save_weights(path / "alone.weights.h5")
    return path


def test_the_share_of_equal_latents_is_counted(folder: Path) -> None:
    calq = random_modules()
    for name, exact in (("plain", True), ("scaled", False)):
        for spec in (SPEC, EncoderSpec.chip(5)):
            imported = import_encoder(folder / f"{name}.h5", spec)
            assert imported.network is not None
            found = check_latents(imported.weights, imported.network, calq)
            assert (found.n_equal_exact == found.n_latents == 16 * len(calq)) == exact
            assert found.n_positive > found.n_latents / 10 and not found.n_negative
            assert (found.n_equal == found.n_equal_exact) == (spec is SPEC)
            # One code more, and some latents are no longer the network's.
            other = EncoderWeights(spec, **imported.weights.arrays | {"dense_bias": imported.weights.dense_bias ^ 1})
            assert check_latents(other, imported.network, calq).n_equal_exact < found.n_equal_exact


def test_the_exact_spec_has_the_arithmetic_of_qkeras() -> None:
    assert exact_spec(EncoderSpec.chip(5)) == SPEC == exact_spec(SPEC)


def test_what_the_command_says(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "weights.npz"
    arguments = ("--config", "econ_t_5elink", "--output", output, "--input")
    result = run(*arguments, folder / "plain.h5", COLUMNS="40")
    assert result.returncode == 0, result.stderr
    assert re.search(r"^dense_kernel +2,048 +0 +0 +0 *$", result.stdout, re.MULTILINE)
    assert re.search(r"^equal .* of 16,000 latents of 1,000 random modules \([\d,]+ above 0\):\n"
                     r"  with exact sums +16,000 \(100\.00%\)\n  as the chip does  +[\d,]+ \(\d+\.\d\d%\), because",
                     result.stdout, re.MULTILINE)
    np.testing.assert_array_equal(EncoderWeights.load(output).flat,
                                  import_encoder(folder / "plain.h5", EncoderSpec.chip(5)).weights.flat)
    result = run(*arguments, folder / "scaled.h5", "--no-check", "--force", "--csv", tmp_path / "arrays.csv")
    rows = list(csv.DictReader((tmp_path / "arrays.csv").open(encoding="utf-8")))
    assert [row["name"] for row in rows] == ["conv_kernel", "conv_bias", "dense_kernel", "dense_bias"]
    assert int(rows[2]["n_rounded"]) > 2000 and 0 < float(rows[2]["largest_change"]) < 1 / 64
    assert re.search(r"^warning: dense_kernel: 20\d\d of 2048 values of the network are not codes of S1\.5",
                     result.stderr, re.MULTILINE)
    assert "equal to" not in result.stdout and "checked" not in result.stdout
    result = run(*arguments, folder / "alone.weights.h5", "--force")
    assert "no architecture in the file: assumed convolution of stride 2" in result.stdout
    assert "not checked: the file has no architecture to run" in result.stdout


def test_what_the_command_refuses(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "weights.npz"
    arguments = ("--config", "econ_t_5elink", "--output", output, "--input")
    for path, message in (
        (folder / "signed.h5", "signed.h5: layer hidden (QActivation) gives -1 for a sum of -1, the chip's ReLU 0"),
        (folder / "none.h5", "none.h5: No such file or directory"),
        (folder, "a folder without saved_model.pb, expected a Keras model"),
    ):
        result = run(*arguments, path)
        assert (result.returncode, output.exists()) == (2, False)
        assert message in result.stderr and len(result.stderr.splitlines()) == 1
    result = run(*arguments, folder / "signed.h5", "--approximate")
    assert "warning: layer latent (QActivation) gives -1 for a sum of -1" in result.stderr
    assert re.search(r"^ +[\d,]+ \(\d+\.\d\d%\) of its own are negative, the chip's never$", result.stdout,
                     re.MULTILINE)
