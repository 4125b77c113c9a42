"""Command `trigger run`: events, clusters of all systems, and the comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models.chip import MAX_ELINKS
from models.console import Column, result_console, show_table, write_csv
from models.errors import InputError
from models.options import CsvFile, JsonFile
from training.commands.console import log_to_console, part_progress
from training.commands.data.options import Farm, PileUp, Seed, Workers
from training.production import CACHE
from training.production.farm import FarmConfig
from training.results.trigger import COLLISIONS_KHZ, Difference, Measured, TriggerStudy
from training.trigger import study
from training.trigger.events import EVENTS_APART, SAMPLES, EventSample
from training.trigger.summary import summarise
from training.trigger.system import System

_ETA = "eta resolution [0.001]"


def run(
    system: Annotated[list[str], typer.Option(help="System: a YAML file or a name such as bc; may be repeated. Others "
                                                   "are compared with the first.")],
    sample: Annotated[list[str] | None, typer.Option(help="electrons, photons, pions, jets, ttbar or minbias; may be "
                                                          "repeated. Default: electrons.")] = None,
    ntuple: Annotated[list[str] | None, typer.Option(
        metavar="SAMPLE=FILE", help="Read a sample from a ROOT file with trigger cells (tc_*) and generated particles "
                                    "(gen_*), such as electrons=file.root; may be repeated. --pile-up is "
                                     "what they hold.")] = None,
    pile_up: PileUp = 200.0,
    events: Annotated[int, typer.Option(min=1, max=EVENTS_APART, help="Number of events of each sample.")] = 200,
    allocation: Annotated[str | None, typer.Option(help="Links of all systems: layers, or a list of modules such as "
                                                        "ModuleLinkSummary.csv. Default: that of each system.")] = None,
    add_links: Annotated[list[int] | None, typer.Option(
        min=-MAX_ELINKS, max=MAX_ELINKS, help="Run every system with this many links more on each module; may be "
                                              "repeated, as in --add-links 0 --add-links -1. Default: 0.")] = None,
    seed: Seed = 1,
    output: Annotated[Path, typer.Option(help="Folder of events and clusters; keeps finished parts.")] = (
        Path("runs") / "trigger"),
    cache: Annotated[Path, typer.Option(help="Folder for cached collisions.")] = CACHE,
    json_: JsonFile = None,
    csv: CsvFile = None,
    workers: Workers = 1,
    farm: Farm = None,
) -> None:
    """Compare systems: send the same events through all of them, and show resolution, efficiency and rate.

    Single particles are shot into both endcaps; with pile-up, minimum-bias events are added, with which rates are
    measured. Example: econ-t trigger run --system everything --system bc --sample electrons --events 200
    """
    log_to_console()
    systems = tuple(System.load(path).with_links(allocation, add) for add in add_links or [0] for path in system)
    names = [one.name for one in systems]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise InputError(f"--system: two systems have the name '{repeated}'; expected different ones")
    files = _files(ntuple or [])
    chosen = list(dict.fromkeys([*(sample or []), *files])) or ["electrons"]
    samples = study.with_rates([EventSample(name, pile_up, seed, files.get(name)) for name in chosen])
    job = study.Job(samples, systems, events, output, cache)
    # With autoencoders, a worker takes up to 1.8 GiB; dask lets one wait that has 80% of its memory.
    config = FarmConfig.load(farm) if farm is not None else FarmConfig(n_workers=workers, memory="3GiB")
    study.check(job)
    with part_progress(study.n_parts(job)) as done:
        study.simulate(job, config, done)
        counts = study.reconstruct(job, config, done)
    result = summarise(job, counts, seed)
    show(result_console(json_, csv), result)
    if json_:
        result.save(json_)
    if csv:
        write_csv(csv, result.records())


def _files(ntuples: list[str]) -> dict[str, Path]:
    """Ntuples by sample."""
    found: dict[str, Path] = {}
    for text in ntuples:
        name, equals, path = text.partition("=")
        if not equals or not path or name not in SAMPLES:
            raise InputError(f"--ntuple: '{text}', expected SAMPLE=FILE with one of {', '.join(SAMPLES)}")
        if name in found:
            raise InputError(f"--ntuple: two files for {name}; expected one (hadd joins files)")
        found[name] = Path(path)
    return found


def show(console: Console, result: TriggerStudy) -> None:
    """Show a table per sample, and what differs from the first system."""
    optional = ("links", "bits", "response", _ETA, "matched", "ROC area")
    columns = [Column("system"), *(Column(title, right=True, optional=title in optional) for title in (
        "pt resolution", "threshold [GeV]", "efficiency", "links", "response", _ETA, "matched", "bits", "ROC area"))]
    if not any(result.systems[0].on(name).objects for name in result.samples):
        _show_links(console, result)
    for name in result.samples:
        objects = result.systems[0].on(name).objects
        if objects is None:
            continue
        if not objects.n_generated:
            console.print(f"{name}: nothing above {objects.least_pt:g} GeV was generated in {result.n_events:,} "
                          "events; take more with --events")
            continue
        rows = []
        for system in result.systems:
            here = system.on(name)
            assert here.objects is not None
            point, roc = (here.working_points or (None,))[-1], here.identification
            rows.append((
                system.name, str(here.objects.resolution), _shown(point.threshold.value if point else None, 1, 1),
                "-" if point is None else str(point.efficiency), f"{here.links.mean_links:.2f}",
                _shown(here.objects.response.value), _shown(here.objects.eta.value, 1000, 2),
                _shown(here.objects.efficiency.value), f"{here.links.bits:.1f}" if here.links.bits else "-",
                _shown(roc.area.value if roc else None)))
        show_table(console, f"{result.n_events:,} events of {name} with {result.pile_up:g} pile-up", columns, rows)
        first = result.systems[0].on(name).objects
        if not result.pile_up and name in ("electrons", "photons") and first and first.sampling.value is not None:
            console.print(f"{result.systems[0].name}: resolution of the energy ({_percent(first.sampling)})/√E ⊕ "
                          f"({_percent(first.constant)}), E in GeV")
        points = result.systems[0].on(name).working_points
        if points:
            console.print(f"Above {objects.least_pt:g} GeV; threshold in GeV at a rate of {points[-1].rate:.0%} of the "
                          f"bunch crossings, about {points[-1].rate * COLLISIONS_KHZ:,.0f} kHz.")
    for one in result.differences:
        console.print(difference_text(one, result.systems[0].name))


def _show_links(console: Console, result: TriggerStudy) -> None:
    """Show what is known of minimum bias alone: nothing calibrates it, so there are no rates."""
    columns = [Column("system"), *(Column(title, right=True) for title in (
        "links", "bits", "share of links", "charge", "clusters per event"))]
    here = [(one.name, one.on(name)) for name in result.samples for one in result.systems]
    show_table(console, f"{result.n_events:,} events of {', '.join(result.samples)} with {result.pile_up:g} pile-up",
               columns, [(name, f"{one.links.mean_links:.2f}", f"{one.links.bits:.1f}" if one.links.bits else "-",
                          f"{one.links.occupancy:.2f}" if one.links.bits else "-", f"{one.links.charge:.2f}",
                          f"{one.clusters_per_event:.1f}") for name, one in here])
    console.print("Rates are of calibrated objects: add a sample to calibrate with, such as --sample electrons.")


def difference_text(one: Difference, first: str) -> str:
    """A line about a difference."""
    if one.tie:
        return f"{one.sample}: {one.system} and {first} are tied in {one.quantity} ({one.difference})"
    value = one.difference.value or 0.0
    relation = "larger" if value > 0 else "smaller"
    error = "" if one.difference.error is None else f" ± {one.difference.error:.3f}"
    return (f"{one.sample}: {one.quantity} of {one.system} is {relation} than that of {first} by "
            f"{abs(value):.3f}{error}")


def _percent(one: Measured) -> str:
    value, error = 100 * (one.value or 0.0), 100 * (one.error or 0.0)
    return f"{value:.1f} ± {error:.1f}%"


def _shown(value: float | None, factor: float = 1, digits: int = 3) -> str:
    return "-" if value is None else f"{factor * value:.{digits}f}"
