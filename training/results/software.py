"""Graphs for the experiment's software: the table that they, their configuration and their check are made from."""

from __future__ import annotations

from typing import ClassVar

from models.chip import LATENT_BITS, MAX_ELINKS
from models.result import FloatOrNone, Result, Rounded

MOST_ENERGY = 0.005
"""Largest relative difference of the energy between the software's decoding and ours."""
MOST_EMD = 0.01
"""Largest mean EMD by which the software's decoding may be worse than ours, in sensor-cell pitches."""

_CARRIED = {0: 0, 1: 1, **LATENT_BITS}
"""Bits per latent that a number of links can carry."""


class LinkClass(Result):
    """One pair of graphs, and what it was made from."""

    name: str
    run: str
    weights: str
    n_elinks: int
    bits: int
    """Bits per latent that encoder and decoder were trained with."""
    zero_fraction: float
    """The decoder drops cells below this fraction of the module sum."""

    @property
    def encoder_file(self) -> str:
        """Frozen graph of the encoder."""
        return f"{self.name}_encoder.pb"

    @property
    def decoder_file(self) -> str:
        """Frozen graph of the decoder."""
        return f"{self.name}_decoder.pb"


class SoftwareTable(Result):
    """All pairs of graphs, by rising number of links, and what follows from them for each number of links."""

    n_entries: ClassVar[int] = MAX_ELINKS + 2

    classes: tuple[LinkClass, ...]
    decoder_inputs: int
    """24: latents and conditions; 16: latents alone."""

    @property
    def absolute(self) -> bool:
        """Whether decoders give charges in CALQ; those that do not see the module sum give fractions of it."""
        return self.decoder_inputs > 16  # noqa: PLR2004  (16 latents)

    @property
    def link_to_graph(self) -> tuple[int, ...]:
        """Graph for each number of links from 0: the one trained for this many, or for the next smaller number."""
        return tuple(max((k for k, one in enumerate(self.classes) if one.n_elinks <= n), default=0)
                     for n in range(self.n_entries))

    @property
    def bits_per_link(self) -> tuple[int, ...]:
        """Bits per latent for each number of links: those of its graph, unless the links carry fewer."""
        return tuple(min(self.classes[graph].bits, _CARRIED[min(n, max(_CARRIED))])
                     for n, graph in enumerate(self.link_to_graph))

    @property
    def untrained_links(self) -> tuple[int, ...]:
        """Numbers of links that carry fewer bits than any graph was trained with."""
        return tuple(n for n, (graph, bits) in enumerate(zip(self.link_to_graph, self.bits_per_link, strict=True))
                     if bits != self.classes[graph].bits)


class SoftwareCheck(Result):
    """What the software makes of the modules of one sample with one pair of graphs, beside our own decoding."""

    name: str
    data: str
    n_modules: int
    n_latents_differ: int
    """Modules of which any latent differs from that of the emulator."""
    cells_true: Rounded
    cells: Rounded
    """Mean number of cells with charge: in the data, and as decoded by the software."""
    energy: Rounded
    """Decoded energy of all modules over that of our own decoding, which is the sum of the module sums."""
    energy_fixed_sum: Rounded
    """The same if the software scales each module to its sum (`preserveModuleSum`) before it adds half a CALQ."""
    emd_own: FloatOrNone
    emd: FloatOrNone
    emd_whole_conditions: FloatOrNone = None
    """EMD with waferu, waferv and layer divided as integers, as in the software; of decoders that see any of them."""

    @property
    def problems(self) -> list[str]:
        """What is not within the limits, in words."""
        found = []
        if self.n_latents_differ:
            found.append(f"latents of {self.n_latents_differ} of {self.n_modules} modules differ from the emulator's")
        if abs(self.energy - 1) > MOST_ENERGY:
            found.append(f"energy {self.energy - 1:+.2%}, expected within {MOST_ENERGY:.1%}")
        if self.emd is not None and self.emd_own is not None and self.emd - self.emd_own > MOST_EMD:
            found.append(f"EMD {self.emd:.3f}, expected {self.emd_own:.3f} within {MOST_EMD}")
        return found


class ConcentratorCheck(Result):
    """What the C++ of a checkout makes of the modules of one sample, beside the stand-in for it."""

    name: str
    data: str
    rule: str
    n_modules: int
    n_latents_differ: int
    n_cells_differ: int
    """Modules of which a charge differs by more than 1e-5 of their sum."""
    energy: Rounded
    energy_expected: Rounded
    """Energy over that of the data: of the C++, and of the stand-in."""
    emd: FloatOrNone
    emd_expected: FloatOrNone

    @property
    def problems(self) -> list[str]:
        """What is not within the limits, in words."""
        found = []
        if self.n_latents_differ:
            found.append(f"latents of {self.n_latents_differ} of {self.n_modules} modules differ from the stand-in's")
        if abs(self.energy - self.energy_expected) > MOST_ENERGY * self.energy_expected:
            found.append(f"energy {self.energy:.4f} of that of the data, expected {self.energy_expected:.4f} within "
                         f"{MOST_ENERGY:.1%}; {self.n_cells_differ} of {self.n_modules} modules differ")
        if self.emd is not None and self.emd_expected is not None and self.emd - self.emd_expected > MOST_EMD:
            found.append(f"EMD {self.emd:.3f}, expected {self.emd_expected:.3f} within {MOST_EMD}")
        return found


class SoftwareExport(Result):
    """Table and checks of one export."""

    table: SoftwareTable
    link_to_graph: tuple[int, ...]
    bits_per_link: tuple[int, ...]
    checks: tuple[SoftwareCheck, ...]
    source: str | None = None
    concentrator: tuple[ConcentratorCheck, ...] = ()
    """Checks by the C++ file `source`."""

    @property
    def problems(self) -> list[str]:
        """All problems of all checks, in words."""
        own = [f"{check.name}, {check.data}: {problem}" for check in self.checks for problem in check.problems]
        return own + [f"{check.name}, {check.data}, by the concentrator: {problem}" for check in self.concentrator
                      for problem in check.problems]
