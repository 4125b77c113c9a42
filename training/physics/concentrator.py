"""The experiment's own concentrator: its C++ file, compiled as it is against `cmssw/framework.hpp`, run on graphs.

What it includes of its framework is replaced by the few classes of that header; its own headers come from the checkout.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hls.compile import find_compiler
from models.arrays import BoolArray, IntArray
from models.errors import InputError, ToolFailed, ToolMissing
from models.trigger_cells import to_trigger_cells
from training.physics.software import Rule, SoftwareCells

_PACKAGE = "L1Trigger/L1THGCal"
SOURCE = f"{_PACKAGE}/src/concentrator/HGCalConcentratorAutoEncoderImpl.cc"
_OWN_HEADERS = f"{_PACKAGE}/interface/concentrator/"
_FRAMEWORK = Path(__file__).parent / "cmssw"
_PLACE = {"eta": 2.0, "layer": 1, "waferu": 0, "waferv": 0, "wafertype": 0}

_SLOW, _FAST = np.divmod(np.arange(16), 4)
CELL_U = np.concatenate([7 - _FAST, 1 + _SLOW + _FAST, 3 - _SLOW])
CELL_V = np.concatenate([4 + _SLOW, _FAST, 6 - _SLOW - _FAST])
"""Coordinates of the 48 trigger cells in the software, in trigger-cell order."""

_MODULE = np.dtype([
    ("links", "<i4"), ("type", "<i4"), ("layer", "<i4"), ("wafer_u", "<i4"), ("wafer_v", "<i4"), ("eta", "<f8"),
    ("cell_u", "<i4", 48), ("cell_v", "<i4", 48), ("calq", "<i4", 48), ("exists", "u1", 48)])
_RESULT = np.dtype([("mip", "<f8", 48), ("calq", "<f8", 48), ("latent", "<i4", 16)])


def placed(columns: Mapping[str, npt.NDArray[Any]], n: int) -> dict[str, npt.NDArray[Any]]:
    """Columns of n modules, and one place for all where a column is missing: to the software, a module is somewhere."""
    return {name: np.full(n, value) for name, value in _PLACE.items()} | dict(columns)


def rule_of(sources: Path) -> Rule:
    """Rule of the concentrator in the `src` folder of a checkout.

    `fork` where it has the integers of the chip, `upstream` where it works on transverse MIPs. Raises InputError for a
    folder without a concentrator.
    """
    if not (sources / SOURCE).is_file():
        raise InputError(f"{sources}: no file {SOURCE}, expected the src folder of the experiment's software")
    return "fork" if (sources / _OWN_HEADERS / "AEinputUtil.h").is_file() else "upstream"


class Concentrator:
    """The concentrator of a checkout of the experiment's software, compiled into a folder."""

    def __init__(self, sources: Path, folder: Path) -> None:
        """Compile it; `sources` is the `src` folder of the checkout.

        Raises ToolMissing, and ToolFailed with the first complaint of the compiler.
        """
        self.rule = rule_of(sources)
        self.source = source = sources / SOURCE
        self._program, self._folder = folder / "concentrator", folder
        _write_headers(sources, folder / "include")
        unit = folder / "concentrator.cpp"
        unit.write_text("".join(f'#include "{path.resolve()}"\n' for path in (
            _FRAMEWORK / "framework.hpp", source, _FRAMEWORK / "driver.cpp")), encoding="utf-8")
        compile_flags, link_flags = _tensorflow_flags()
        result = subprocess.run(
            [find_compiler(), "-O0", "-w", "-fmax-errors=1", f"-I{folder / 'include'}", f"-I{sources.resolve()}",
             *compile_flags, str(unit), "-o", str(self._program), *link_flags],
            capture_output=True, text=True, check=False)
        if result.returncode:
            complaints = [line for line in result.stderr.splitlines() if "error" in line or "undefined" in line]
            raise ToolFailed(f"g++ failed on {source}: {(complaints or [result.stderr])[0]}")

    def run(
        self, graphs: Sequence[tuple[Path, Path]], parameters: Mapping[str, Any], calq: IntArray, n_links: int, *,
        columns: Mapping[str, npt.NDArray[Any]] | None = None, valid: BoolArray | None = None,
    ) -> SoftwareCells:
        """Send charges (n, 48) in image order through pairs of graphs; as `run_software`, with the same results.

        parameters: of the configuration, by name. Raises ToolFailed with the exception that the concentrator throws.
        """
        at = placed(columns or {}, len(calq))
        modules = np.zeros(len(calq), _MODULE)
        modules["links"], modules["cell_u"], modules["cell_v"] = n_links, CELL_U, CELL_V
        for field, name in (("type", "wafertype"), ("layer", "layer"), ("wafer_u", "waferu"), ("wafer_v", "waferv"),
                            ("eta", "eta")):
            modules[field] = at[name]
        modules["calq"] = to_trigger_cells(np.asarray(calq))
        modules["exists"] = 1 if valid is None else valid
        lines = [f"modelFiles {encoder.resolve()} {decoder.resolve()}" for encoder, decoder in graphs]
        lines += [f"{name} {' '.join(str(float(value)) for value in np.atleast_1d(values))}"
                  for name, values in parameters.items()]
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            here = Path(name)
            (here / "parameters.txt").write_text("\n".join(lines), encoding="utf-8")
            modules.tofile(here / "modules")
            files = [str(here / file) for file in ("parameters.txt", "modules", "results")]
            # Some versions print each module.
            done = subprocess.run([str(self._program), *files], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  text=True, check=False)
            if done.returncode:
                raise ToolFailed(f"{self.source}: {(done.stderr.strip().splitlines() or ['it ended by a signal'])[-1]}")
            result = np.fromfile(here / "results", _RESULT)
        bits = int(parameters["maxBitsPerOutput"]) - (self.rule == "fork")
        latent = np.maximum(result["latent"], 0) / 2.0**bits
        return SoftwareCells(latent, result["calq"] if self.rule == "fork" else result["mip"])


def _write_headers(sources: Path, folder: Path) -> None:
    """Write a header that leads to ours for each one of the framework that the concentrator includes."""
    folder = folder.resolve()
    for path in (sources / SOURCE, *(sources / _OWN_HEADERS).glob("*.h")):
        text = path.read_text(encoding="utf-8", errors="replace")
        for name in re.findall(r'^\s*#\s*include\s*"([^"]+)"', text, re.MULTILINE):
            header = folder / name
            if not name.startswith(_OWN_HEADERS) and folder in header.resolve().parents:
                header.parent.mkdir(parents=True, exist_ok=True)
                header.write_text(f'#include "{_FRAMEWORK / "framework.hpp"}"\n', encoding="utf-8")


def _tensorflow_flags() -> tuple[list[str], list[str]]:
    import tensorflow as tf  # noqa: PLC0415  (slow to start)

    library = Path(tf.sysconfig.get_lib())
    if not (library / "libtensorflow_cc.so.2").exists():
        raise ToolMissing(f"{library} has no libtensorflow_cc.so.2: the package tensorflow of this system comes "
                          "without its C++ library")
    # Nothing refers to the first library by name: sessions and operations register themselves when it is loaded.
    return tf.sysconfig.get_compile_flags(), [f"-L{library}", f"-Wl,-rpath,{library},--no-as-needed",
                                              "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"]
