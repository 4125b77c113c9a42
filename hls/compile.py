"""Compile a project with g++ once and keep it: the cache of csim programs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from importlib import resources
from pathlib import Path

from filelock import FileLock

from hls.backends import BACKENDS
from models.config import Config
from models.errors import ToolFailed, ToolMissing
from models.files import atomic_directory


def compiled(config: Config, backend: str) -> Path:
    """Folder of the project with its compiled `csim`, from the cache or made now (about half a minute)."""
    from hls.convert import convert

    compiler = find_compiler()
    folder = cache_root() / f"{backend}-{_key(config, backend, compiler)}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Two commands at once: the second waits and finds the work done.
    with FileLock(folder.parent / f"{folder.name}.lock"):
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
