"""The script of docs/how-to/conditional-autoencoder.md: from wafers of 2023 to 2026 to graphs for the software."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pyarrow.parquet as pa_parquet
import pytest
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY
from bitexact_tests.samples import wafers
from bitexact_tests.samples.geometry_file import GEOMETRY
from emulator import encode
from models.command_line import econ_t
from models.weights import EncoderWeights
from training.fit.run import Run
from training.results.audit import Audit
from training.results.software import SoftwareExport

pytest.importorskip("uproot")
pytest.importorskip("tensorflow")

PAGE = REPOSITORY / "docs" / "how-to" / "conditional-autoencoder.md"
SMALL = {"train": ["--epochs", "1", "--set", "training.decoder.width=16"], "audit": ["--json", "audit.json"]}
"""Options that shorten commands, or write their result."""


def script() -> list[list[str]]:
    """Words of the commands on the page."""
    block = re.findall(r"```text\n(econ-t data from-ntuple.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    return [shlex.split(line) for line in block.replace("\\\n", " ").strip().splitlines()]


@pytest.mark.slow
def test_from_ntuple_to_graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    samples = [wafers.wafers(40, 10, seed) for seed in (4, 5)]
    for number, (sample, naming) in enumerate(zip(samples, ("chain", "nano"), strict=True), 1):
        n = len(sample["layer"])
        # Modules of 5 and of 3 links, in all three sectors of the geometry file.
        five, sector = np.arange(n) % 2 == 0, np.arange(n) % 3
        sample["layer"] = np.ones(n, np.int32)
        sample["waferu"] = np.where(five, np.array([1, -3, 2])[sector], np.array([2, -2, 0])[sector]).astype(np.int32)
        sample["waferv"] = np.where(five, np.array([3, -2, -1])[sector], np.array([2, 0, -2])[sector]).astype(np.int32)
        sample["event"] = sample["event"] + 1000 * number
        wafers.write(tmp_path / f"ntuple_{number}.root", sample, naming)
    (tmp_path / "geometry_hgcal.txt").write_text(GEOMETRY)
    app, output = econ_t(), {}
    for name, *words in script():
        assert name == "econ-t"
        found = CliRunner().invoke(app, [*words, *SMALL.get(words[0], [])])
        # A decoder of one epoch may lose more than the limit by its zeros; latents and energy must still be right.
        assert found.exit_code in ((0, 1) if words[0] == "export" else (0,)), found.output
        output[" ".join(words[:2])] = found.output

    calq = np.concatenate([sample["calq"] for sample in samples])
    five = np.concatenate([np.arange(len(sample["layer"])) % 2 == 0 for sample in samples])
    assert "0 with encoder inputs that the chip would not compute" in output["data from-ntuple"]
    for n, modules in ((5, five), (3, ~five)):
        assert re.search(rf"links {n} +{modules.sum()} ", output["data split"]), output["data split"]
    assert "0 not in the list" in output["data split"]

    audit = Audit.load("audit.json")
    assert audit.n_modules == sum(calq[five].any(axis=1)) and audit.decoder == "runs/five/decoder.npz"
    assert Path("audit.html").exists()

    latents = pa_parquet.read_table("latents.parquet").to_pandas()
    np.testing.assert_array_equal(latents["n_elinks"], np.where(five, 5, 3))
    np.testing.assert_array_equal(latents["link_class"], np.where(five, 5, 3))
    for links, run in ((3, "three"), (5, "five")):
        here = latents["link_class"].to_numpy() == links
        expected = encode(EncoderWeights.load(f"runs/{run}/weights.npz"), calq[here])["latent_code"]
        np.testing.assert_array_equal(latents.loc[here, [f"latent_{i}" for i in range(16)]].to_numpy(), expected)

    result = SoftwareExport.load("cmssw/software.json")
    assert result.bits_per_link[2:7] == (3, 5, 5, 9, 9)
    for check in result.checks:
        assert check.n_latents_differ == 0 and abs(check.energy - 1) < 1e-4
        assert not [problem for problem in check.problems if not problem.startswith("EMD")]

    test = Run("runs/five").test.extra
    assert set(test["waferu"]) == {1, -3, 2}
    events = set(np.concatenate([sample["event"] for sample in samples]))
    assert set(test["event"]) < events
