"""C simulation: compile a project with g++ once, then run any weights and charges through it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hls.backends import BACKENDS
from models.config import Config
from models.errors import ToolFailed, ToolMissing
from models.files import atomic_directory
from models.spec import EncoderSpec
from models.trigger_cells import IMAGE_SIZE
from models.weights import EncoderWeights

IntArray = npt.NDArray[np.integer[Any]]

STAGES = (
    "module_sum", "shift", "image_code", "conv_sum", "hidden_code", "dense_sum", "output_code", "latent_code", "words"
)
"""What csim can hand out. `words` are the frame of the AE algorithm, (n, 5)."""

_MAX_WORDS = 5
_CHUNK = 8192  # events per run of the program: bounds its files to a few MB and lets two cores share the work


def run_csim(
    config: Config, weights: EncoderWeights, calq: IntArray, backend: str | None = None, *,
    keep: Collection[str] = STAGES, bx: IntArray | None = None, n_elinks: int | None = None, mask: int | None = None,
    progress: Callable[[int], None] = lambda n_events: None,
) -> dict[str, npt.NDArray[np.int32]]:
    """Run events through the compiled C++.

    calq: (n, 48) in image order; bx: (n,) bunch crossing in the orbit for the frame header (default: 0, 1, 2, ...);
    n_elinks and mask default to those of the spec. Returns the stages named in `keep` as int32 codes, shapes as those
    of the emulator. `progress` is called with the number of events of each finished part. Raises ToolMissing without
    g++.
    """
    spec = config.encoder
    if weights.spec != spec:
        raise ValueError(f"weights of spec {weights.spec.digest()}, expected {spec.digest()}")
    program = compiled(config, backend or config.hls.backend) / "csim"
    bx = np.arange(len(calq)) % 3564 if bx is None else bx
    events = np.column_stack([bx, calq]).astype(np.uint32)
    control = control_words(spec, weights, n_elinks, mask)
    trace = not set(keep) <= {"latent_code", "words"}

    def run(start: int) -> npt.NDArray[np.int32]:
        rows = _run_program(program, control, events[start : start + _CHUNK], trace, row_length(spec, trace))
        progress(len(rows))
        return rows

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = np.concatenate(list(pool.map(run, range(0, max(len(events), 1), _CHUNK))))
    return {name: part for name, part in _split(spec, rows, trace) if name in keep}


def control_words(
    spec: EncoderSpec, weights: EncoderWeights, n_elinks: int | None = None, mask: int | None = None
) -> npt.NDArray[np.int32]:
    """The testbench's control file: links, output mask, weight codes."""
    chosen = spec.ae_mask if mask is None else mask
    words = [spec.n_elinks if n_elinks is None else n_elinks] + [chosen >> (32 * i) & 0xFFFFFFFF for i in range(5)]
    codes = [array.ravel() for array in weights.arrays.values()]  # hls4ml takes kernels as they are: input, output
    return np.concatenate([np.array(words, dtype=np.uint32).view(np.int32), *codes]).astype(np.int32)


def _layout(spec: EncoderSpec, trace: bool) -> list[tuple[str, tuple[int, ...]]]:
    layout: list[tuple[str, tuple[int, ...]]] = [("latent_code", (spec.dense.outputs,)), ("words", (_MAX_WORDS,))]
    if trace:
        layout += [("module_sum", ()), ("shift", ()), ("image_code", (IMAGE_SIZE, IMAGE_SIZE)),
                   ("conv_sum", (spec.conv.size, spec.conv.size, spec.conv.filters)), ("hidden_code", (spec.n_hidden,)),
                   ("dense_sum", (spec.dense.outputs,)), ("output_code", (spec.dense.outputs,))]
    return layout


def row_length(spec: EncoderSpec, trace: bool) -> int:
    """Numbers per event in the testbench's output."""
    return sum(int(np.prod(shape)) for _, shape in _layout(spec, trace))


def _split(
    spec: EncoderSpec, rows: npt.NDArray[np.int32], trace: bool
) -> Iterator[tuple[str, npt.NDArray[np.int32]]]:
    start = 0
    for name, shape in _layout(spec, trace):
        end = start + int(np.prod(shape))
        yield name, rows[:, start:end].reshape(len(rows), *shape)
        start = end


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
        raise ToolFailed(f"csim wrote {len(rows)} events, expected {len(events)}")
    return rows


def compiled(config: Config, backend: str) -> Path:
    """Folder of the project with its compiled `csim`, from the cache or made now (about half a minute)."""
    from hls.convert import convert

    compiler = find_compiler()
    folder = cache_root() / f"{backend}-{_key(config, backend, compiler)}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two commands at once: the second waits and finds the work done
        if not (folder / "csim").exists():
            with atomic_directory(folder) as temporary:
                convert(config, temporary, backend)
                build(temporary, backend, compiler)
    return folder


def find_compiler() -> str:
    """Path of g++; raises ToolMissing."""
    found = shutil.which("g++")
    if found is None:
        raise ToolMissing("g++ not found: csim compiles C++, install g++ (Debian: apt-get install g++)")
    return found


def build(project: Path, backend: str, compiler: str) -> None:
    """Compile the project's `csim` in place."""
    includes = [f"-I{project / folder}" for folder in BACKENDS[backend].includes]
    sources = [str(project / name) for name in ("econ_t.cpp", "econ_t_csim.cpp", "firmware/encoder.cpp")]
    command = [compiler, "-std=c++17", "-O2", "-w", f"-I{project}", *includes, *sources, "-o", str(project / "csim")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        complaints = [line for line in result.stderr.splitlines() if "error" in line or "undefined" in line]
        raise ToolFailed(f"g++ failed on the {backend} project: {(complaints or [result.stderr])[0]}")


def cache_root() -> Path:
    """Where compiled projects are kept, absolute: $ECON_T_CACHE, else the user's cache folder."""
    users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("ECON_T_CACHE") or users / "econ-t-codesign").absolute()


def _key(config: Config, backend: str, compiler: str) -> str:
    """Changes with whatever changes the compiled program: spec, sources that make it, hls4ml, compiler."""
    from hls.convert import describe

    state = hashlib.sha256(repr(sorted(describe(config, backend).items())).encode())
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    state.update(version)
    packages = [Path(str(resources.files(name))) for name in ("hls", "models")]
    for path in sorted(path for package in packages for path in (*package.glob("*.py"), *package.glob("templates/*"))):
        state.update(path.read_bytes())
    return state.hexdigest()[:16]
