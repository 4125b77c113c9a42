"""The two C++ dialects and their vendor tools behind one small interface."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from models.config import Config
from models.errors import InputError
from models.files import read_json

PROJECT_FILE = "project.json"
"""In every project: what it was made from."""
ASIC_LIBRARY = "saed32rvt_tt0p78v125c_beh"
"""The characterised library that Catapult ships for hls4ml designs; replace it by your technology's."""


@dataclass(frozen=True)
class Backend:
    """One dialect: how hls4ml names it, where its headers are, which programs synthesise it."""

    name: str
    hls4ml_name: str
    includes: tuple[str, ...]
    """Header folders below the project that csim needs."""
    programs: tuple[str, ...]
    """Vendor programs, any of which can synthesise the project."""
    script: str
    logic_script: str = ""
    """For `logic_program`, which makes gates of the Verilog that the first tool writes; not every flow has one."""
    logic_program: str = ""

    def program(self) -> str | None:
        """Path of the vendor tool, or None."""
        return next((found for found in map(shutil.which, self.programs) if found), None)

    def available(self) -> bool:
        """Whether the vendor tool is on the PATH."""
        return self.program() is not None

    def missing(self) -> str:
        """The honest sentence of a report when the tool is not there."""
        return f"not run: {' or '.join(self.programs)} not found"

    def target(self, config: Config) -> dict[str, Any]:
        """Arguments of the hls4ml conversion that name the technology."""
        return {"part": config.hls.part} if self.name == "vitis" else {"tech": "asic", "asiclibs": ASIC_LIBRARY}

    def check(self, config: Config | None, project: Path) -> None:
        """Raise InputError if a folder holds no project, or one of another encoder (if one is given) or backend."""
        path = project / PROJECT_FILE
        if not path.exists():
            raise InputError(f"{project}: no {PROJECT_FILE} in it, expected a {self.name} project of `econ-t convert`")
        content = read_json(path, ("digest", "backend"))
        expected = {"backend": self.name} | ({"digest": config.encoder.digest()} if config else {})
        for key, wanted in expected.items():
            if content[key] != wanted:
                raise InputError(f"{path}: {key} {content[key]}, expected {wanted}: convert the configuration again")

    def scripts(self, config: Config) -> dict[str, str]:
        """Files for a machine that has the vendor tool: name -> text."""
        values = {"@PART@": config.hls.part, "@PERIOD@": f"{config.hls.clock_period_ns:g}", "@LIBRARY@": ASIC_LIBRARY}
        return {name: _filled((resources.files("hls") / "templates" / name).read_text(), values)
                for name in (self.script, self.logic_script) if name}

    def commands(self) -> list[list[str]]:
        """The vendor tools that are there, each with its script, in order; to be run in the folder of a project."""
        logic = shutil.which(self.logic_program) if self.logic_program else None
        follow = [[logic, "-mode", "batch", "-source", self.logic_script]] if logic else []
        return [self._command(), *follow]

    def _command(self) -> list[str]:
        program = self.program()
        if program is None:
            raise FileNotFoundError(self.missing())
        if self.name == "catapult":
            return [program, "-shell", "-file", self.script]
        return [program, *(["--mode", "hls", "--tcl"] if Path(program).name == "vitis-run" else ["-f"]), self.script]


def _filled(text: str, values: Mapping[str, str]) -> str:
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend("vitis", "Vitis", ("firmware/ap_types",), ("vitis-run", "vitis_hls"), "vitis.tcl",
                "vivado.tcl", "vivado"),
        Backend("catapult", "Catapult",
                ("firmware/ac_types/include", "firmware/ac_math/include", "firmware/ac_simutils/include",
                 "firmware/nnet_utils"), ("catapult",), "catapult.tcl"),
    )
}


def project_backend(project: Path) -> str:
    """The name of the backend that a project is for."""
    path = project / PROJECT_FILE
    if not path.exists():
        raise InputError(f"{project}: no {PROJECT_FILE} in it, expected a project of `econ-t convert`")
    return str(read_json(path, ("backend",))["backend"])
