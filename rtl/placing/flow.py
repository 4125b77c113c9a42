"""From RTL to a routed design: one mapping by Yosys, then a place and route by nextpnr for each seed.

A folder holds the mapped netlist and what each seed gave, under the digest of all that they were made from. Whatever is
there is not made again, so that an interrupted run resumes.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.files import atomic_directory
from models.result import Result, Rounded
from rtl.mapping import yosys
from rtl.mapping.synthesis import ALU_MAP, TO_ALU
from rtl.placing import nextpnr
from rtl.results import Design, PlacedSeed, Placement

_SOFT = " -nodsp -nobram"
_MAPPED, _MAPPING, _SEED = "mapped.json", "mapping.json", "seed.json"
# Block by block, so that copies of a register in several blocks stay, and in a sixth of the time of a flat netlist.
_PASSES = ("proc", "opt", "wreduce", "opt_clean -purge", TO_ALU, f"synth_ecp5 -noflatten{_SOFT}", "flatten",
           "opt_clean", "opt_lut_ins -tech lattice")


@dataclass(frozen=True)
class Source:
    """A design: how Yosys reads it, and what a result says of it."""

    name: str
    digest: str
    design: Design | None
    top: str
    interval: int
    latency: int
    """Clocks in the block itself, without its harness."""
    reading: tuple[str, ...]
    """Commands of Yosys, without the names of their files."""
    files: tuple[Path, ...]
    hard: bool = False
    """Whether to use the multipliers and the blocks of memory of the device."""

    @property
    def passes(self) -> tuple[str, ...]:
        """Commands of Yosys that map the design."""
        return tuple(one.replace(_SOFT, "") for one in _PASSES) if self.hard else _PASSES

    def commands(self) -> Iterator[str]:
        """Commands of Yosys that read all files."""
        for command, path in zip(self.reading, self.files, strict=True):
            yield f"{command} {yosys.quoted(path)}"
        yield f"hierarchy -check -top {self.top}"

    def made_from(self, target_mhz: float) -> str:
        """Digest of the content of all files, the tools and their options."""
        # What the map of adders says, and not where this installation has it.
        passes = "\n".join(self.passes).replace(str(ALU_MAP), ALU_MAP.read_text(encoding="utf-8"))
        state = hashlib.sha256(repr((yosys.version(), nextpnr.version(), passes, nextpnr.OPTIONS,
                                     target_mhz)).encode())
        for command, path in zip(self.reading, self.files, strict=True):
            state.update(command.encode())
            state.update(path.read_bytes())
        return state.hexdigest()[:16]


class _Mapping(Result):
    """What is kept of a mapping beside its netlist."""

    levels: int
    seconds: Rounded


class Clock:
    """The time that a run may take."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self._end = seconds, time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until the end; negative after it."""
        return self._end - time.monotonic()


def place(
    source: Source, folder: Path, seeds: Sequence[int], target_mhz: float, clock: Clock,
    report: Callable[[str], None] = lambda _text: None,
) -> Placement:
    """Map a design, and place and route it with each seed; `report` is called with a line for each step.

    At the end of `clock` the result has the seeds that are ready. Raises TimeoutError if there are none.
    """
    made_from = source.made_from(target_mhz)
    build = folder / made_from
    mapping = _mapped(source, build, clock, report)
    found: list[PlacedSeed] = []
    for number, seed in enumerate(seeds):
        title = f"seed {seed} ({number + 1} of {len(seeds)})"

        def tell(text: str, title: str = title) -> None:
            report(f"{title}: {text}")

        kept = PlacedSeed.find(seed_folder(build, seed) / _SEED)
        try:
            one = kept or _routed(build, seed, target_mhz, clock, tell)
        except TimeoutError:
            if not found:
                raise
            tell(f"left out, {clock.seconds:g} s are over")
            continue
        found.append(one)
        tell(f"{one.fmax_mhz:.1f} MHz, {one.seconds:,.0f} s{', from an earlier call' if kept else ''}")
    return Placement(
        made_from=made_from, name=source.name, digest=source.digest, design=source.design, device=nextpnr.DEVICE,
        tool=f"{yosys.version()}, {nextpnr.version()}", target_mhz=target_mhz, levels=mapping.levels,
        interval_clocks=source.interval, latency_clocks=source.latency,
        utilisation=nextpnr.utilisation(seed_folder(build, found[0].seed) / nextpnr.REPORT_FILE),
        synthesis_seconds=mapping.seconds, seeds=tuple(found))


def seed_folder(build: Path, seed: int) -> Path:
    """The folder of one place and route."""
    return build / f"seed_{seed}"


def _mapped(source: Source, build: Path, clock: Clock, report: Callable[[str], None]) -> _Mapping:
    """Map the design, unless that was done, to `_MAPPED` in folder `mapped`."""
    target = build / "mapped"
    kept = _Mapping.find(target / _MAPPING)
    if kept:
        return kept
    report("synthesis")
    begin = time.monotonic()
    with atomic_directory(target) as folder:
        log = yosys.run([
            *source.commands(), *source.passes, f"select {source.top}",
            f"write_json -selected {yosys.quoted(folder / _MAPPED)}", "select -clear", f"select {source.top}/*",
            *(f"select -del {source.top}/t:{clocked}" for clocked in ("TRELLIS_FF", "DP16KD")), "log == path ==",
            "ltp -noff"], max(clock.left, 1))
        length = re.search(r"Longest topological path in \S+ \(length=(\d+)\)", log[log.index("== path ==") :])
        found = _Mapping(levels=int(length[1]) if length else 1, seconds=time.monotonic() - begin)
        found.save(folder / _MAPPING)
    report(f"synthesis: {found.levels} levels, {found.seconds:.0f} s")
    return found


def _routed(build: Path, seed: int, target_mhz: float, clock: Clock, report: Callable[[str], None]) -> PlacedSeed:
    """Place and route, and keep the routed netlist and the report."""
    if clock.left <= 0:
        raise TimeoutError(f"{clock.seconds:g} s were over before seed {seed}")
    begin = time.monotonic()
    with atomic_directory(seed_folder(build, seed)) as folder:
        nextpnr.route(build / "mapped" / _MAPPED, folder, seed, target_mhz, clock.left, report)
        fmax, path = nextpnr.timing(folder / nextpnr.REPORT_FILE)
        found = PlacedSeed(seed=seed, fmax_mhz=fmax, critical_path=path, seconds=time.monotonic() - begin)
        found.save(folder / _SEED)
    return found
