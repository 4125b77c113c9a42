"""The project that hls4ml writes."""

from __future__ import annotations

import json
from pathlib import Path

from hls.backends import BACKENDS
from models.config import Config
from models.weights import EncoderWeights


def test_project_is_whole_and_without_weights_in_its_code(tmp_path: Path) -> None:
    from hls.conversion import convert

    config = Config.load("econ_t_5elink")
    for backend in BACKENDS:
        project = tmp_path / backend
        convert(config, project, backend, EncoderWeights.random(config.encoder, 1))
        names = {path.name for path in project.iterdir()}
        assert names >= {"econ_t.cpp", "econ_t_csim.cpp", "firmware", "control.bin", f"{backend}.tcl", "project.json"}
        assert json.loads((project / "project.json").read_text())["digest"] == config.encoder.digest()
        network = (project / "firmware" / "encoder.cpp").read_text()
        assert "load_weights_from_txt" not in network and not (project / "firmware" / "weights").exists()
        parameters = (project / "firmware" / "parameters.h").read_text()
        assert "n_zeros = 0;" in parameters and "n_zeros = 1" not in parameters
        script = (project / f"{backend}.tcl").read_text()
        assert "@" not in script and "25" in script
