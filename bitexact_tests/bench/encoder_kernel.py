"""The encoder as a plain C++ kernel, compiled for this machine: the practical limit of the emulator."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.weights import EncoderWeights

_SOURCE = Path(__file__).with_suffix(".cpp")
_FLAGS = ("-O3", "-march=native", "-funroll-loops", "-std=c++17", "-shared", "-fPIC")


def compile_kernel(weights: EncoderWeights, library: Path, compiler: str) -> Callable[[np.ndarray], np.ndarray]:
    """A function of charges (n, 48) uint32 to latents (n, 16); weights are of econ_t_5elink."""
    subprocess.run([compiler, *_FLAGS, str(_SOURCE), "-o", str(library)], check=True)
    function = ctypes.CDLL(str(library)).encode
    arrays = [np.ascontiguousarray(weights.arrays[name], np.int16)
              for name in ("conv_kernel", "conv_bias", "dense_kernel", "dense_bias")]

    def run(calq: np.ndarray) -> np.ndarray:
        calq = np.ascontiguousarray(calq, np.uint32)
        latent = np.empty((len(calq), 16), np.int32)
        function(calq.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(len(calq)),
                 *(array.ctypes.data_as(ctypes.c_void_p) for array in arrays),
                 latent.ctypes.data_as(ctypes.c_void_p))
        return latent

    return run
