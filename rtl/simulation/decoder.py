"""Stimuli for a decoder whose weights can be reloaded: writes and modules in, charges out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.arrays import IntArray
from models.compact_decoder import INPUT, CompactDecoder
from rtl.design.decoder import ReloadableDecoder
from rtl.simulation.simulate import Records, Simulation, pack, unpack

Fields = tuple[IntArray, IntArray]
"""Latents (n, latents) and codes of the module sum (n,)."""
_AFTER_WRITES = 4  # clocks until the last weight is in its memory


def writing(top: ReloadableDecoder, simulation: Simulation, decoder: CompactDecoder) -> Records:
    """Clocks that load a decoder, a weight in each."""
    address, weight = top.weight_writes(decoder)
    clocks = simulation.idle(len(address) + _AFTER_WRITES)
    given = clocks[: len(address)]
    given["write"] = 1
    given["address"] = pack(address, top.address_bits, given["address"].shape[1])
    given["weight"] = pack(weight, len(top.weight), given["weight"].shape[1])
    return clocks


def packed_fields(top: ReloadableDecoder, fields: Fields, n_bytes: int) -> npt.NDArray[np.uint8]:
    """The bytes of `fields`, (n, n_bytes)."""
    bits = [np.asarray(code)[..., None] >> np.arange(width) & 1
            for code, width in zip(fields, (top.spec.latent.width, INPUT.width), strict=True)]
    return pack(np.concatenate([part.reshape(len(part), -1) for part in bits], axis=1), 1, n_bytes)


def charges(top: ReloadableDecoder, simulation: Simulation, decoders: Sequence[CompactDecoder], fields: Fields,
            folder: Path) -> npt.NDArray[np.int64]:
    """Charge codes (decoders, n, 48) of modules as often as the decoder takes them; each decoder is loaded in turn."""
    n, units = len(fields[0]), top.spec.sizes[-1]
    modules = simulation.idle(n * top.interval + top.latency + units)
    taken = modules[: n * top.interval : top.interval]
    taken["valid"] = 1
    taken["fields"] = packed_fields(top, fields, taken["fields"].shape[1])
    clocks = [part for decoder in decoders for part in (writing(top, simulation, decoder), modules)]
    outputs = simulation.run(np.concatenate(clocks), folder)
    found = unpack(outputs["charge"][outputs["charge_valid"][:, 0] == 1], len(top.charge), 1)
    return found.reshape(len(decoders), n, units)
