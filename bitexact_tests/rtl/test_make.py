"""Targets of the Makefile for the RTL."""

from __future__ import annotations

import re
import subprocess

import pytest

from bitexact_tests.conftest import REPOSITORY


@pytest.mark.parametrize(("fold", "options", "name"), [
    ("", "", ""), ("1", "--fold 1 ", ""), ("16", "--fold 16 ", "_fold16")])
def test_make_gives_each_fold_files_of_its_own(fold: str, options: str, name: str) -> None:
    make = ["make", "--dry-run", "--no-print-directory", "-o", ".venv/ready", "rtl-synth", "rtl-activity", "RUN=run",
            "TECHNOLOGY=gates", f"FOLD={fold}"]
    text = subprocess.run(make, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    lines = re.sub(r"\s+", " ", text.replace("\\\n", " ").replace("'", ""))
    assert "rtl synth --config configs/econ_t_5elink.yaml --technology $technology " \
        f"{options}--json run/rtl_$technology{name}.json" in lines
    assert f"--netlists run/rtl/gates{name} --timeout 3000 {options}--json run/rtl_gates{name}.json" in lines
    assert f"--netlists run/rtl/gates{name} --json run/rtl_gates{name}.json" in lines


def test_make_places_a_fold_that_fits_the_device() -> None:
    for given, fold in (([], 16), (["FOLD=8"], 8)):
        make = ["make", "--dry-run", "--no-print-directory", "-o", ".venv/ready", "rtl-place", "RUN=run", *given]
        text = subprocess.run(make, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
        lines = re.sub(r"\s+", " ", text.replace("\\\n", " ").replace("'", ""))
        assert f"rtl place --config configs/econ_t_5elink.yaml --fold {fold} --seeds 3 --build run/placed " \
            f"--json run/placed_fold{fold}.json" in lines
