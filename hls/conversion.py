"""Conversion of a configuration to a C++ project: hls4ml writes the network, and our own top level surrounds it.

The project depends only on the spec and the backend. Weights are arguments of the top level, so one project, and one
compiled csim, serves all sets of weights.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import math
import re
import shutil
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from hls.backends import BACKENDS, PROJECT_FILE, Backend
from hls.testbench import control_words
from hls.vendor_reports import find_reports
from models.chip import AE_HEADER_BITS, AE_MAX_ELINKS, LINK_BITS
from models.config import CONFIG_FILE, Config
from models.errors import InputError, ToolMissing
from models.files import atomic_directory, atomic_path, read_json
from models.fixed_point import FixedPoint
from models.spec import EncoderSpec
from models.trigger_cells import CALQ_BITS, IMAGE_SIZE, N_TRIGGER_CELLS
from models.weights import EncoderWeights

_ONE_AT_A_TIME = threading.Lock()  # output streams and logging are those of the whole process

_NETWORK = "encoder"  # the function that hls4ml writes
_SOURCES = ("econ_t.h", "econ_t.cpp", "econ_t_csim.cpp")

# In C simulation hls4ml reads weights from text files at the first call, which would overwrite the arguments.
_LOADER = re.compile(r"#ifndef __SYNTHESIS__\s+static bool loaded_weights.*?#endif\n", re.DOTALL)


def convert(
    config: Config, output: str | Path, backend: str, weights: EncoderWeights | None = None, *, force: bool = False
) -> None:
    """Write the project to the folder `output`, whole or not at all; an older project there is replaced.

    With `weights`, its testbench data holds them. A project with vendor reports stays and gets these weights; if it is
    of another configuration, it is only replaced with `force`. Raises ToolMissing without hls4ml.

    Examples:
        >>> from pathlib import Path
        >>> from hls import convert
        >>> from models import Config
        >>> convert(Config.load("econ_t_2elink"), "hls_vitis", "vitis")
        >>> sorted(file.name for file in Path("hls_vitis").glob("*.h"))
        ['econ_t.h', 'econ_t_types.h']
    """
    chosen = BACKENDS[backend]
    reports = find_reports(Path(output))
    if reports and not force:
        if read_json(Path(output) / PROJECT_FILE, optional=True) != describe(config, backend):
            raise InputError(f"{output}: another project, with the vendor report {reports[0].relative_to(output)}; "
                             "choose another --output, or give --force to replace it")
        if weights is not None:
            _write_weights(Path(output), config, weights)
        return
    with atomic_directory(output, guarded=True) as folder:
        model = write_network(lambda: _hls4ml_model(config, chosen, folder), folder)
        _keep_network_only(folder)
        _write_top_level(config.encoder, chosen, folder, model)
        for name, text in chosen.scripts(config).items():
            (folder / name).write_text(text)
        if weights is not None:
            _write_weights(folder, config, weights)
        (folder / PROJECT_FILE).write_text(json.dumps(describe(config, backend), indent=1) + "\n")


def write_network(make: Callable[[], Any], folder: Path) -> Any:
    """Write the project of the hls4ml model that `make` returns, and what hls4ml says to `hls4ml.log`."""
    log = io.StringIO()
    with _captured(log):
        model = make()
        model.write()
        Path(f"{folder}.tar.gz").unlink(missing_ok=True)  # hls4ml also packs some projects, beside the folder
    (folder / "hls4ml.log").write_text(log.getvalue())
    _keep_one_bit(folder / "firmware" / "defines.h", model)
    return model


def _keep_one_bit(header: Path, model: Any) -> None:
    """Give types of one bit their width: hls4ml declares them in Algorithmic C with two, one of them a fraction."""
    text = header.read_text()
    for layer in model.get_layers():
        kind = layer.get_output_variable().type
        if kind.precision.width == 1:
            text = re.sub(rf"typedef ac_fixed<2,([^;]*> {kind.name};)", r"typedef ac_fixed<1,\1", text)
    header.write_text(text)


def _write_weights(folder: Path, config: Config, weights: EncoderWeights) -> None:
    """Data of the testbench."""
    with atomic_path(folder / "control.bin") as path:
        control_words(config.encoder, weights).tofile(path)
    weights.save(folder / "weights.npz")
    config.save(folder / CONFIG_FILE)


def hls4ml_version() -> str:
    """The installed version; raises ToolMissing without hls4ml."""
    try:
        return metadata.version("hls4ml")
    except metadata.PackageNotFoundError:
        raise ToolMissing("hls4ml not found; conversion needs it: pip install '.[training]'") from None


def describe(config: Config, backend: str) -> dict[str, str]:
    """Provenance of a project: equal descriptions make equal projects. Raises ToolMissing without hls4ml."""
    return {
        "digest": config.encoder.digest(),
        "backend": backend,
        "part": config.hls.part,
        "clock_period_ns": str(config.hls.clock_period_ns),
        "hls4ml": hls4ml_version(),
    }


@contextlib.contextmanager
def _captured(log: io.StringIO) -> Iterator[None]:
    """Collect what hls4ml prints and logs, which goes to a file of the project and not to the terminal."""
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    with _ONE_AT_A_TIME:
        level, handlers = root.level, root.handlers[:]
        root.handlers, root.level = [handler], logging.INFO
        try:
            with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                yield
        finally:
            root.handlers, root.level = handlers, level


def _hls4ml_model(config: Config, backend: Backend, folder: Path) -> Any:
    from models.qkeras_encoder import build_encoder, set_weights  # noqa: PLC0415  (starts TensorFlow)

    spec = config.encoder
    keras_model = build_encoder(spec)
    # All weights are one LSB: hls4ml saves the multipliers of zeros, but a reloadable weight can take any value.
    set_weights(keras_model, EncoderWeights.constant(spec, 1))
    model = hls4ml_model(
        keras_model, _NETWORK, config, backend=backend, folder=folder, precisions=layer_precisions(spec),
        traced=("conv", "hidden", "dense"), options={"BramFactor": 0},  # 0 makes every weight an argument
        layers={"conv": {"ParallelizationFactor": spec.conv.size**2}})
    unbound = [w.name for w in model.get_weight_variables() if w.storage.lower() != "bram"]
    if unbound:
        raise RuntimeError(f"hls4ml made {', '.join(unbound)} constant, expected arguments")
    return model


def hls4ml_model(
    keras_model: Any, name: str, config: Config, *, backend: Backend, folder: Path,
    precisions: Mapping[str, Mapping[str, str]], traced: Collection[str], options: Mapping[str, Any] | None = None,
    layers: Mapping[str, Mapping[str, Any]] | None = None,
) -> Any:
    """The hls4ml model of a Keras model, everything in parallel and a new event every clock.

    precisions: of every layer, by name; traced: layers whose results the testbench reads; options and layers: further
    settings of the model and of single layers.
    """
    import models.qkeras_setup  # noqa: F401, PLC0415  (first: it chooses the Keras that hls4ml reads)

    # isort: split
    import hls4ml  # noqa: PLC0415  (starts TensorFlow)

    hls_config = hls4ml.utils.config_from_keras_model(keras_model, granularity="name", backend=backend.hls4ml_name)
    hls_config["Model"] |= {"Strategy": "Latency", "ReuseFactor": 1, "PipelineStyle": "pipeline", **(options or {})}
    for layer, settings in hls_config["LayerName"].items():
        settings["Precision"] |= precisions[layer]
        settings.update((layers or {}).get(layer, {}))
    for layer in traced:
        hls_config["LayerName"][layer]["Trace"] = True
    model = hls4ml.converters.convert_from_keras_model(
        keras_model, hls_config=hls_config, output_dir=str(folder), project_name=name, io_type="io_parallel",
        backend=backend.hls4ml_name, clock_period=config.hls.clock_period_ns, **backend.target(config),
    )
    model.config.trace_output = True  # as hls4ml's own `trace` does; it ignores the setting in the configuration
    return model


def layer_precisions(spec: EncoderSpec) -> dict[str, dict[str, str]]:
    """hls4ml precision of every layer of `build_encoder`.

    hls4ml cuts a product when it assigns it to the accumulator type, which floors and has the fractional bits of the
    cut product. QKeras' layers without an activation have one called `_linear`.
    """
    image, conv, dense = spec.input.as_hls4ml(), spec.conv, spec.dense
    conv_sum, dense_sum = spec.conv_accumulator.as_hls4ml(), spec.dense_accumulator.as_hls4ml()
    return {
        "image": {"result": image},
        "input_quantizer": {"result": image},
        "conv": {
            "result": conv_sum, "accum": conv_sum,
            "weight": conv.weight.as_hls4ml(), "bias": conv.bias.as_hls4ml(),
        },
        "conv_linear": {"result": conv_sum},
        "hidden": {"result": conv.output.as_hls4ml()},
        "flatten": {"result": conv.output.as_hls4ml()},
        "dense": {
            "result": dense_sum, "accum": dense_sum,
            "weight": dense.weight.as_hls4ml(), "bias": dense.bias.as_hls4ml(),
        },
        "dense_linear": {"result": dense_sum},
        "encoded_vector": {"result": dense.output.as_hls4ml()},
    }


def _keep_network_only(folder: Path) -> None:
    """Remove all that hls4ml wrote around its network: our own top level, testbench and scripts replace it."""
    for path in folder.iterdir():
        if path.name not in ("firmware", "hls4ml.log"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(folder / "firmware" / "weights")
    source = folder / "firmware" / f"{_NETWORK}.cpp"
    text, n_removed = _LOADER.subn("", source.read_text())
    if n_removed != 1:
        raise RuntimeError(f"{source.name}: {n_removed} weight loaders, expected 1; is this another hls4ml version?")
    source.write_text(text.replace("#pragma hls_design top\n", ""))


def _write_top_level(spec: EncoderSpec, backend: Backend, folder: Path, model: Any) -> None:
    templates = resources.files("hls") / "templates"
    for name in _SOURCES:
        (folder / name).write_text((templates / name).read_text())
    types = {variable.name[0] + layer.name: variable.type.name
             for layer in model.get_layers() for variable in layer.weights.values()}
    lines = ["// Generated with the project: types and sizes of this encoder.",
             "#ifndef ECON_T_TYPES_H_", "#define ECON_T_TYPES_H_", "",
             (templates / f"bits_{backend.name}.h").read_text(), f'#include "firmware/{_NETWORK}.h"', ""]
    for name in spec.weight_shapes:
        layer, part = name.split("_")
        lines.append(f"typedef {types[('w' if part == 'kernel' else 'b') + layer]} {name}_t;")
    wide = FixedPoint(CALQ_BITS + spec.input.fraction_bits, CALQ_BITS, signed=False)
    lines.append(f"typedef {wide.as_ap() if backend.name == 'vitis' else wide.as_ac()} wide_input_t;")
    lines += ["", "enum {", *(f"    {name} = {value}," for name, value in _constants(spec).items()), "};", "", "#endif",
              ""]
    (folder / "econ_t_types.h").write_text("\n".join(lines))


def _constants(spec: EncoderSpec) -> dict[str, int]:
    """Sizes and binary points, by their names in the C++."""
    return {
        "N_TRIGGER_CELLS": N_TRIGGER_CELLS,
        "N_PIXELS": IMAGE_SIZE**2,
        "SUM_BITS": CALQ_BITS,
        "WORD_BITS": LINK_BITS,
        "MAX_WORDS": AE_MAX_ELINKS,
        "HEADER_BITS": AE_HEADER_BITS,
        **{f"N_{name.upper()}": math.prod(shape) for name, shape in spec.weight_shapes.items()},
        "N_HIDDEN": spec.n_hidden,
        "N_LATENTS": spec.dense.outputs,
        "INPUT_FRACTION_BITS": spec.input.fraction_bits,
        "CONV_SUM_FRACTION_BITS": spec.conv_accumulator.fraction_bits,
        "HIDDEN_FRACTION_BITS": spec.conv.output.fraction_bits,
        "DENSE_SUM_FRACTION_BITS": spec.dense_accumulator.fraction_bits,
    }
