"""The way of docs/how-to/conditional-autoencoder.md: from wafers of 2023 to 2026 to graphs that the software runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples import wafers
from bitexact_tests.samples.geometry_file import GEOMETRY
from training.__main__ import app
from training.fit.run import Run
from training.results.audit import Audit
from training.results.software import SoftwareExport

pytest.importorskip("uproot")
pytest.importorskip("tensorflow")


def test_from_ntuple_to_graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sample = wafers.wafers(80, 10, seed=4)
    n = len(sample["layer"])
    # Modules of 5 and of 3 links, in all three sectors of the geometry file.
    five = np.arange(n) % 2 == 0
    sector = np.arange(n) % 3
    sample["layer"] = np.ones(n, np.int32)
    sample["waferu"] = np.where(five, np.array([1, -3, 2])[sector], np.array([2, -2, 0])[sector]).astype(np.int32)
    sample["waferv"] = np.where(five, np.array([3, -2, -1])[sector], np.array([2, 0, -2])[sector]).astype(np.int32)
    wafers.write(tmp_path / "ntuple.root", sample)
    (tmp_path / "geometry.txt").write_text(GEOMETRY)
    options = ["--epochs", "1", "--set", "training.augment.generated=0", "--set", "training.decoder.width=16",
               "--set", "training.decoder.conditions=[eta,wafertype]", "--set", "training.decoder.film=true"]

    def run(*words: str, status: int = 0) -> str:
        found = CliRunner().invoke(app, list(words))
        assert found.exit_code == status, found.output
        return found.output

    assert "other_inputs 0" in run("data", "from-ntuple", "ntuple.root", "--output", "wafers")
    counts = run("data", "split", "wafers", "--allocation", "pile-up", "--modules", "geometry.txt", "--per-bit-width",
                 "--format", "parquet", "--output", "split")
    assert "not_found 0" in counts and f"nElinks_5 {five.sum()}" in counts and f"nElinks_3 {(~five).sum()}" in counts
    for links in (3, 5):
        run("train", "--config", f"econ_t_{links}elink", "--data", f"split/nElinks_{links}", "--output", f"run_{links}",
            *options)
    run("audit", "--encoder", "run_5/weights.npz", "--input", "split/nElinks_5", "--steps", "2", "--json", "audit.json")
    assert Audit.load("audit.json").n_modules == sum(sample["calq"][five].any(axis=1))
    # A decoder of one epoch may lose more than the limit by its zeros; latents and energy must be right all the same.
    found = CliRunner().invoke(app, ["export", "--cmssw", "--run", "run_3", "--run", "run_5", "--output", "cmssw"])
    assert found.exit_code in (0, 1), found.output
    result = SoftwareExport.load("cmssw/software.json")
    assert result.bits_per_link[2:7] == (3, 5, 5, 9, 9)
    for check in result.checks:
        assert check.n_latents_differ == 0 and abs(check.energy - 1) < 1e-4
        assert not [problem for problem in check.problems if not problem.startswith("EMD")]
    test = Run("run_5").test.extra
    assert set(test["waferu"]) == {1, -3, 2}
    assert not set(test["event"]) & set(sample["event"]) ^ set(test["event"])
