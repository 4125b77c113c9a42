"""How big an encoder and its decoders are, and how fast: estimates without a vendor tool, in seconds.

The block with reloadable weights is the same for every training, so its count comes with the project
(`rtl.mapping.measured`). Layers with constant weights are estimated by da4ml here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from models.compact_decoder import CompactDecoder
from models.config import Config
from models.cost import cost
from models.hardware import Implementation
from models.weights import EncoderWeights
from rtl.constant.project import ConstantProject, rows
from rtl.mapping.measured import measured
from rtl.results import ConstantSynthesis
from training.fit.run import Run
from training.networks.decoder_file import n_macs, n_parameters, read_decoder
from training.report.hardware import ASKED_FOR, CONSTANTS, TECHNOLOGY, synthesis_row
from training.results.size import DecoderSize, Size

_QUICK_MACS = 4000  # of a compact decoder that da4ml traces in seconds
_STAGES = 4  # of a compact decoder, as `econ-t rtl decoder` has by default


def size(run: Run) -> Size:
    """Sizes of the encoder and the decoders of a run or a shipped set; raises InputError for a network encoder."""
    config, weights = run.config, run.weights
    return Size(config=config.name, digest=config.encoder.digest(), weights=weights.digest(),
                encoder=cost(config.encoder), block=tuple(_block(config)),
                constants=_estimate(config, weights, None, CONSTANTS),
                decoders=(_own_decoder(run), *_compact_decoders(run)))


def _block(config: Config) -> Iterable[Implementation]:
    for technology in ASKED_FOR:
        found = measured(config.encoder, technology)
        if found:
            row = synthesis_row(found, TECHNOLOGY[technology])
            yield row.model_copy(update={
                "tool": f"{row.tool}; counted once for this RTL, which is the same for all weights"})


def _estimate(
    config: Config, layers: EncoderWeights | CompactDecoder, stages: int | None, name: str
) -> tuple[Implementation, ...]:
    """da4ml's row for constant layers; nothing is kept."""
    clock_ns = config.hls.clock_period_ns
    with tempfile.TemporaryDirectory() as folder:
        project = ConstantProject.write(layers, Path(folder) / "project", stages, config.hls.part, clock_ns)
        return rows(project, clock_ns, None, name)


def _own_decoder(run: Run) -> DecoderSize:
    spec = run.config.encoder
    options, _ = read_decoder(run.decoder_file, spec)
    return DecoderSize(name=run.name, arithmetic="floating point, in software", macs=n_macs(spec, options),
                       parameters=n_parameters(spec, options))


def _compact_decoders(run: Run) -> Iterable[DecoderSize]:
    """The compact decoders of these weights, smallest first."""
    found = {path: CompactDecoder.load(path) for path in run.compact_files() if CompactDecoder.is_in(path)}
    for path, decoder in sorted(found.items(), key=lambda item: (item[1].spec.macs, item[0])):
        if decoder.encoder == run.weights.digest():
            bits = sorted({layer.weight.width for layer in decoder.spec.layers})
            yield DecoderSize(
                name=_name(run, path), arithmetic=f"integers, weights of {' and '.join(map(str, bits))} bits",
                macs=decoder.spec.macs, parameters=len(decoder.flat),
                implementations=_compact_rows(run, path, decoder))


def _name(run: Run, path: Path) -> str:
    folder = run.folder if path.is_relative_to(run.folder) else run.results_folder
    return path.relative_to(folder).with_suffix("").as_posix()


def _compact_rows(run: Run, path: Path, decoder: CompactDecoder) -> tuple[Implementation, ...]:
    """What `econ-t rtl decoder` found, or da4ml's estimate if it takes seconds, or the command."""
    file = run.compact_constant_file(path)
    made = ConstantSynthesis.find(file)
    if made and made.digest == decoder.digest():
        return made.implementations
    name = f"RTL, {_name(run, path)} with weights as constants"
    if decoder.spec.macs <= _QUICK_MACS:
        return _estimate(run.config, decoder, _STAGES, name)
    shown = Path(run.folder.name) / path.name if run.is_shipped and path.parent == run.folder else path
    command = f"econ-t rtl decoder --decoder {shown} --output {file.parent} --no-synthesise"
    return (Implementation(name=name, tool=f"not run (minutes): {command}"),)
