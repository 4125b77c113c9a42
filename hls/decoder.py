"""A compact decoder as C++: hls4ml writes the network, its weights constant, and a testbench runs codes through it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hls.backends import BACKENDS, PROJECT_FILE, Backend
from hls.cache import cache_root
from hls.compile import build, find_compiler
from hls.conversion import hls4ml_model, hls4ml_version, write_network
from hls.vendor_reports import find_reports
from models.arrays import IntArray
from models.compact_decoder import INPUT, CompactDecoder, CompactSpec
from models.config import Config
from models.errors import InputError, ToolFailed
from models.files import atomic_directory

NETWORK = "decoder"
"""The function that hls4ml writes, which is the top level too."""
DECODER_FILE = "decoder.npz"
_TESTBENCH = "decoder_csim.cpp"


def convert_decoder(
    decoder: CompactDecoder, output: str | Path, backend: str, config: Config, *, force: bool = False
) -> None:
    """Write the project to the folder `output`, whole or not at all; an older project there is replaced.

    config: its part or technology, and its clock. A project with vendor reports is only replaced with `force`. Raises
    ToolMissing without hls4ml.
    """
    chosen = BACKENDS[backend]
    reports = find_reports(Path(output))
    if reports and not force:
        raise InputError(f"{output}: a project with the vendor report {reports[0].relative_to(output)}; choose another "
                         "--output, or give --force to replace it")
    version = hls4ml_version()
    with atomic_directory(output, guarded=True) as folder:
        model = write_network(lambda: _model(decoder, config, chosen, folder), folder)
        _write_testbench(decoder.spec, chosen, folder, model)
        decoder.save(folder / DECODER_FILE)
        content = {"digest": decoder.digest(), "backend": backend, "part": config.hls.part,
                   "clock_period_ns": str(config.hls.clock_period_ns), "hls4ml": version}
        (folder / PROJECT_FILE).write_text(json.dumps(content, indent=1) + "\n")


def _model(decoder: CompactDecoder, config: Config, backend: Backend, folder: Path) -> Any:
    from models.qkeras_decoder import build_decoder, set_weights  # noqa: PLC0415  (starts TensorFlow)

    keras_model = build_decoder(decoder.spec)
    set_weights(keras_model, decoder)
    traced = [f"{part}_{index}" for index in range(len(decoder.spec.layers)) for part in ("dense", "output")]
    return hls4ml_model(keras_model, NETWORK, config, backend=backend, folder=folder,
                        precisions=decoder_precisions(decoder.spec), traced=traced)


def decoder_precisions(spec: CompactSpec) -> dict[str, dict[str, str]]:
    """hls4ml precision of every layer of `models.qkeras_decoder.build_decoder`."""
    precisions = {"fields": {"result": INPUT.as_hls4ml()}}
    for index, (layer, accumulator) in enumerate(zip(spec.layers, spec.accumulators, strict=True)):
        total = accumulator.as_hls4ml()
        precisions[f"dense_{index}"] = {"result": total, "accum": total, "weight": layer.weight.as_hls4ml(),
                                        "bias": layer.bias.as_hls4ml()}
        precisions[f"dense_{index}_linear"] = {"result": total}
        precisions[f"output_{index}"] = {"result": layer.output.as_hls4ml()}
    return precisions


def _write_testbench(spec: CompactSpec, backend: Backend, folder: Path, model: Any) -> None:
    templates = resources.files("hls") / "templates"
    variables = [*model.get_input_variables(), *model.get_output_variables()]
    types = [variable.type.name for variable in variables]
    stages = [line for index, (layer, total) in enumerate(zip(spec.layers, spec.accumulators, strict=True))
              for line in (f'    {{"dense_{index}", {layer.units}, {total.fraction_bits}}},',
                           f'    {{"output_{index}", {layer.units}, {layer.output.fraction_bits}}},')]
    lines = ["// Generated with the project: types and sizes of this decoder.",
             (templates / f"bits_{backend.name}.h").read_text(), f'#include "firmware/{NETWORK}.h"', "",
             f"typedef {types[0]} field_t;", f"typedef {types[1]} charge_t;",
             f"enum {{ N_FIELDS = {spec.sizes[0]}, N_CHARGES = {spec.sizes[-1]} }};",
             "static const Stage STAGES[] = {", *stages, "};", ""]
    if backend.name == "catapult":  # its csim reads the weights into arrays of the testbench
        lines += [f'#include "firmware/weights/{one.name}.h"' for one in model.get_weight_variables()]
        lines += [f"{one.definition_cpp()};" for one in model.get_weight_variables()] + [""]
    (folder / "decoder_types.h").write_text("\n".join(lines))
    (folder / _TESTBENCH).write_text((templates / _TESTBENCH).read_text())


def run_decoder_csim(
    decoder: CompactDecoder, input_code: IntArray, backend: str, config: Config
) -> dict[str, npt.NDArray[np.int64]]:
    """Run inputs (n, latents + 2), codes of 9 bits, through the compiled C++: the stages of the integer model, by name.

    The program is compiled once per decoder and then reused. Raises ToolMissing without hls4ml or g++.
    """
    project = _compiled(decoder, backend, config)
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "input.bin", Path(name) / "output.bin"
        np.asarray(input_code).astype(np.int32).tofile(source)
        result = subprocess.run([project / "csim", source, target], cwd=project / "firmware", capture_output=True,
                                text=True, check=False)
        if result.returncode:
            raise ToolFailed(f"csim failed with status {result.returncode}: {result.stderr.strip()}")
        rows = np.fromfile(target, dtype=np.int32).astype(np.int64)
    units = [layer.units for layer in decoder.spec.layers for _ in range(2)]
    if rows.size != len(input_code) * sum(units):
        raise ToolFailed(f"csim wrote {rows.size} numbers, expected {len(input_code)} x {sum(units)}")
    names = [f"{part}_{index}" for index in range(len(decoder.spec.layers)) for part in ("sum", "output")]
    parts = np.split(rows.reshape(len(input_code), sum(units)), np.cumsum(units)[:-1], axis=1)
    return dict(zip(names, parts, strict=True))


def _compiled(decoder: CompactDecoder, backend: str, config: Config) -> Path:
    """Folder of the project with its compiled `csim`, from the cache or made now."""
    compiler = find_compiler()
    key = hashlib.sha256(f"{decoder.digest()} {config.hls!r} {hls4ml_version()} {compiler}".encode())
    packages = [Path(str(resources.files(name))) for name in ("hls", "models")]
    for path in sorted(path for package in packages for path in (*package.glob("*.py"), *package.glob("templates/*"))):
        key.update(path.read_bytes())
    folder = cache_root() / f"decoder-{backend}-{key.hexdigest()[:16]}"
    if not (folder / "csim").exists():
        with atomic_directory(folder) as temporary:
            convert_decoder(decoder, temporary, backend, config)
            build(temporary, backend, compiler, (_TESTBENCH, f"firmware/{NETWORK}.cpp"))
    return folder
