"""C simulation: any weights and charges through a project that is compiled once."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hls.cache import compiled
from hls.testbench import STAGES, _split, control_words, row_length
from models.arrays import IntArray
from models.chip import ORBIT
from models.config import Config
from models.errors import ToolFailed
from models.weights import EncoderWeights
from models.wording import counted


def run_csim(
    config: Config, weights: EncoderWeights, calq: IntArray, backend: str | None = None, *,
    keep: Collection[str] = STAGES, bx: IntArray | None = None, n_elinks: int | None = None, mask: int | None = None,
    progress: Callable[[int], None] = lambda _: None, events_per_run: int = 8192,
) -> dict[str, npt.NDArray[np.int32]]:
    """Run events through the compiled C++.

    calq: (n, 48) in image order; bx: (n,) bunch crossing in the orbit for the frame header (default: 0, 1, 2, ...);
    n_elinks and mask default to those of the spec. Returns the stages named in `keep` as int32 codes, in the
    shapes of the emulator. The program runs on at most `events_per_run` events at a time, which bounds its files and
    lets cores share the work; `progress` is called with the number of events of each finished run. Raises InputError
    for weights of another spec, and ToolMissing without g++.

    Examples:
        >>> import numpy as np
        >>> from hls import run_csim
        >>> from models import Config, load_weights
        >>> config, weights = Config.load("econ_t_2elink"), load_weights("econ_t_2elink")
        >>> stages = run_csim(config, weights, np.full((3, 48), 100), "vitis")
        >>> stages["module_sum"].tolist(), stages["latent_code"].shape
        ([4800, 4800, 4800], (3, 16))
    """
    spec = config.encoder
    spec.check_same(weights.spec, "the weights are")
    program = compiled(config, backend or config.hls.backend) / "csim"
    bx = np.arange(len(calq)) % ORBIT if bx is None else bx
    events = np.column_stack([bx, calq]).astype(np.uint32)
    control = control_words(spec, weights, n_elinks, mask)
    trace = not set(keep) <= {"latent_code", "words"}

    def run(start: int) -> npt.NDArray[np.int32]:
        rows = _run_program(program, control, events[start : start + events_per_run], trace, row_length(spec, trace))
        progress(len(rows))
        return rows

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = np.concatenate(list(pool.map(run, range(0, max(len(events), 1), events_per_run))))
    return {name: part for name, part in _split(spec, rows, trace) if name in keep}


def _run_program(
    program: Path, control: npt.NDArray[np.int32], events: npt.NDArray[np.uint32], trace: bool, length: int
) -> npt.NDArray[np.int32]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        control.tofile(folder / "control.bin")
        events.tofile(folder / "input.bin")
        arguments = ["control.bin", "input.bin", "output.bin"] + ["trace"] * trace
        result = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        if result.returncode:
            raise ToolFailed(f"csim failed with status {result.returncode}: {result.stderr.strip()}")
        rows = np.fromfile(folder / "output.bin", dtype=np.int32).reshape(-1, length)
    if len(rows) != len(events):
        raise ToolFailed(f"csim wrote {counted(len(rows), 'event')}, expected {len(events)}")
    return rows
