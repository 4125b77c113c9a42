"""The two C++ dialects and their vendor tools behind one interface."""

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
"""Provenance stored in every project."""
ASIC_LIBRARY = "saed32rvt_tt0p78v125c_beh"
"""The characterised library that Catapult ships for hls4ml designs; replace it with that of your technology."""


@dataclass(frozen=True)
class Backend:
    """One dialect: its name in hls4ml, its headers, and the programs that synthesise it."""

    name: str
    hls4ml_name: str
    includes: tuple[str, ...]
    """Header folders in the project that csim needs."""
    programs: tuple[str, ...]
    """Vendor programs; any one of them can synthesise the project."""
    script: str
    logic_script: str = ""
    """Script for `logic_program`, which maps the Verilog of the first tool to gates; not every flow has one."""
    logic_program: str = ""

    def program(self) -> str | None:
        """Path of the vendor tool, or None if it is not installed."""
        return next((found for found in map(shutil.which, self.programs) if found), None)

    def available(self) -> bool:
        """Whether the vendor tool is on the PATH."""
        return self.program() is not None

    def missing(self) -> str:
        """What a report says if the tool is not installed."""
        return f"not run: {' or '.join(self.programs)} not found"

    def target(self, config: Config) -> dict[str, Any]:
        """Arguments of the hls4ml conversion that choose the technology."""
        return {"part": config.hls.part} if self.name == "vitis" else {"tech": "asic", "asiclibs": ASIC_LIBRARY}

    def check(self, config: Config | None, project: Path) -> None:
        """Raise InputError unless a folder holds a project of this backend, and of `config` if it is given."""
        path = project / PROJECT_FILE
        if not path.exists():
            raise InputError(f"{path} is missing, expected a {self.name} project of `econ-t convert`")
        content = read_json(path, ("digest", "backend"))
        if content["backend"] != self.name:
            raise InputError(f"{path}: backend {content['backend']}, expected {self.name}; convert again")
        if config:
            config.encoder.check_same(str(content["digest"]), f"{path}: made", "convert again")

    def scripts(self, config: Config) -> dict[str, str]:
        """Scripts for a machine that has the vendor tool: name -> text."""
        values = {"@PART@": config.hls.part, "@PERIOD@": f"{config.hls.clock_period_ns:g}", "@LIBRARY@": ASIC_LIBRARY}
        return {name: _filled((resources.files("hls") / "templates" / name).read_text(), values)
                for name in (self.script, self.logic_script) if name}

    def commands(self) -> list[list[str]]:
        """Commands of the installed vendor tools, in order, to be run in the folder of a project."""
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
"""The C++ dialects, by name.

Examples:
    >>> from hls import BACKENDS
    >>> list(BACKENDS)
    ['vitis', 'catapult']
"""


def project_backend(project: Path) -> str:
    """Name of the backend that a project is for; raises InputError if there is no project."""
    path = project / PROJECT_FILE
    if not path.exists():
        raise InputError(f"{path} is missing, expected a project of `econ-t convert`")
    return str(read_json(path, ("backend",))["backend"])
