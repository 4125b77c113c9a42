"""The command `econ-t convert`: one project for each backend, each in its own folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hls.__main__ import app
from hls.commands import convert
from models.spec import EncoderSpec
from models.weights import EncoderWeights


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, str]]:
    """Folder and backend of every project that would be written."""
    folders: list[tuple[Path, str]] = []
    monkeypatch.setattr(convert, "write_project",
                        lambda config, folder, backend, weights, force: folders.append((folder, backend)))
    return folders


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    EncoderWeights.random(EncoderSpec.chip(5), 1).save(tmp_path / "weights.npz")
    return tmp_path / "weights.npz"


@pytest.mark.parametrize(("folder", "backends", "expected"), [
    ("mine", ["vitis"], [("mine", "vitis")]),
    ("hls_{backend}", ["catapult"], [("hls_catapult", "catapult")]),
    ("mine", ["vitis", "vitis"], [("mine", "vitis")]),
    ("hls_{backend}", ["vitis", "catapult"], [("hls_vitis", "vitis"), ("hls_catapult", "catapult")]),
])
def test_folders(written: list[tuple[Path, str]], weights: Path, folder: str, backends: list[str],
                 expected: list[tuple[str, str]]) -> None:
    given = [word for backend in backends for word in ("--backend", backend)]
    output = str(weights.parent / folder)
    done = CliRunner().invoke(app, ["convert", "--weights", str(weights), "--output", output, *given])
    assert done.exit_code == 0, done.output
    assert written == [(weights.parent / name, backend) for name, backend in expected]
    for name, backend in expected:
        assert f"{backend} project of weights in {weights.parent / name}\n" in done.stdout


def test_backends_do_not_replace_one_another(written: list[tuple[Path, str]], weights: Path) -> None:
    done = CliRunner().invoke(app, ["convert", "--weights", str(weights), "--output", str(weights.parent / "hls"),
                                    "--backend", "vitis", "--backend", "catapult"])
    assert done.exit_code == 2 and not written
    assert "hls: expected {backend} in it, for vitis and catapult" in done.stderr.replace("\n", " ")
