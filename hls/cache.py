"""The cache of compiled csim programs: a project is compiled once and then reused."""

from __future__ import annotations

import hashlib
import os
import subprocess
from importlib import resources
from pathlib import Path

from filelock import FileLock

from hls.compile import build, find_compiler
from hls.conversion import convert, describe
from models.chip import LATENT_BITS
from models.config import Config
from models.files import atomic_directory
from models.spec import EncoderSpec


def compiled(config: Config, backend: str) -> Path:
    """Folder of the project with its compiled `csim`, from the cache or made now (about half a minute).

    Links and bits per latent are arguments of the program: encoders that differ in nothing else share it.
    """
    config = config.evolve(name="csim", encoder=_most_links(config.encoder))
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


def cache_root() -> Path:
    """The absolute folder of compiled projects: $ECON_T_CACHE, or else the user's cache folder."""
    users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("ECON_T_CACHE") or users / "econ-t-codesign").absolute()


def _most_links(spec: EncoderSpec) -> EncoderSpec:
    """The same encoder for the most links whose latents its output can fill."""
    return spec.evolve(n_elinks=max(n for n, bits in LATENT_BITS.items() if bits <= spec.dense.output.width))


def _key(config: Config, backend: str, compiler: str) -> str:
    """A digest of whatever changes the compiled program: spec, sources that make it, hls4ml, compiler."""
    state = hashlib.sha256(repr(sorted(describe(config, backend).items())).encode())
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    state.update(version)
    packages = [Path(str(resources.files(name))) for name in ("hls", "models")]
    for path in sorted(path for package in packages for path in (*package.glob("*.py"), *package.glob("templates/*"))):
        state.update(path.read_bytes())
    return state.hexdigest()[:16]
