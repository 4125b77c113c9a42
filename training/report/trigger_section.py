"""Trigger section of a report: which system, at which cost in links, and what it makes of whole events."""

from __future__ import annotations

import math

from training.figures import trigger as figures
from training.report.parts import Cell, Plot, Section, Table
from training.results.trigger import COLLISIONS_KHZ, Measured, SystemResult, TriggerStudy, WorkingPoint

_SIGMAS = 3
_THOUSAND = 1000
_TEXT = ("Whole events of both endcaps: every module through its algorithm on its own number of links, bit by bit "
         "through frames and decoder, then clusters in three dimensions, calibrated on one half of the events and "
         "measured on the other. The simulation has no material before the calorimeter and no other bunch crossings.")


def verdict(study: TriggerStudy) -> list[str]:
    """One sentence per sample: the system with the highest efficiency at the lowest rate, else the best resolution.

    And those that are as good within the errors, with their cost: which of them is the better choice is a question of
    links.
    """
    found = []
    for sample in study.samples:
        ranked = _ranked(study, sample)
        if not ranked or _judged(ranked[0], sample).value is None:
            continue
        best, links = ranked[0], ranked[0].on(sample).links
        point, objects = _point(best, sample), best.on(sample).objects
        assert objects is not None
        what = (f"efficiency {point.efficiency} at {point.rate:.0%} of the bunch crossings" if point
                else f"resolution {objects.resolution}")
        cost = f"{links.bits:.0f} bits of {links.mean_links:.2f} links per module" if links.bits else "without chips"
        near = [f"{one.name} ({one.on(sample).links.bits:.0f} bits)" for one in ranked[1:]
                if _are_near(one, best, sample)]
        also = f" Within {_SIGMAS} errors of it: {', '.join(near)}." if near else ""
        kind = " that send frames" if links.bits else ""
        who = f"the best of {len(ranked)} systems{kind} is {best.name}," if len(ranked) > 1 else f"{best.name}:"
        found.append(f"Trigger, {sample} with {study.pile_up:g} pile-up: {who} {what}, with {cost}.{also}")
    return found


def _are_near(one: SystemResult, best: SystemResult, sample: str) -> bool:
    """Whether a system is as good as the best one, within the errors of both."""
    first, second = (_judged(system, sample) for system in (one, best))
    if first.value is None or second.value is None:
        return False
    return abs(first.value - second.value) <= _SIGMAS * math.hypot(first.error or 0.0, second.error or 0.0)


def _judged(system: SystemResult, sample: str) -> Measured:
    """What systems are ranked by."""
    point, objects = _point(system, sample), system.on(sample).objects
    assert objects is not None
    return objects.resolution if point is None else point.efficiency


def _ranked(study: TriggerStudy, sample: str) -> list[SystemResult]:
    """Systems that send frames, best first; all systems if none does."""
    there = [one for one in study.systems if one.on(sample).objects is not None]
    chips = [one for one in there if one.on(sample).links.bits]

    def rank(one: SystemResult) -> float:
        value = _judged(one, sample).value
        if _point(one, sample) is not None:
            return -(value or 0.0)
        return float("inf") if value is None else value

    return sorted(chips or there, key=rank)


def _point(system: SystemResult, sample: str) -> WorkingPoint | None:
    points = system.on(sample).working_points
    return points[-1] if points else None


def trigger_section(study: TriggerStudy | None, absent: str) -> Section:
    """Lay out a study as a section of the page."""
    title = "Trigger: which system, at which cost in links"
    if study is None:
        return Section(title, absent)
    samples = [name for name in study.samples if study.systems[0].on(name).objects is not None]
    children = [Section(f"{study.n_events:,} events of {name} with {study.pile_up:g} pile-up",
                        tables=[_links(study, name), _objects(study, name), *_shapes(study, name)],
                        plots=_plots(study, name)) for name in samples]
    shown = [Plot(f"trigger_event_{number}", figures.event(one), f"Event {one.event} of {one.sample}, positive z: "
                  "charge of all layers, clusters above 5 GeV (circles) and generated particles (crosses)", wide=True)
             for number, one in enumerate(study.displays)]
    return Section(title, _TEXT, [_differences(study)] if study.differences else [], plots=shown, children=children)


def _links(study: TriggerStudy, sample: str) -> Table:
    rows = []
    for one in study.systems:
        use = one.on(sample).links
        rows.append([Cell(one.name), _number(use.mean_links, 2), _number(use.bits, 1), _number(use.occupancy, 2),
                     _number(use.cut, 4), _number(use.charge, 3)])
    return Table(["system", "links per module", "bits per BX", "share of links", "frames cut", "charge"], rows,
                 frozenset(range(1, 6)), caption=f"Links for {sample}")


def _objects(study: TriggerStudy, sample: str) -> Table:
    titles = ["system", "response", "resolution", "η, 0.001", "φ, 0.001", "matched", "threshold, GeV", "efficiency",
              "pile-up at 95%", "ROC area"]
    rows, least_pt = [], 0.0
    for one in study.systems:
        here, point = one.on(sample), _point(one, sample)
        objects, found = here.objects, here.identification
        assert objects is not None
        least_pt = objects.least_pt
        rows.append([
            Cell(one.name), *(_measured(value) for value in (
                objects.response, objects.resolution, objects.eta.times(_THOUSAND), objects.phi.times(_THOUSAND),
                objects.efficiency)),
            _measured(point.threshold if point else None), _measured(point.efficiency if point else None),
            _measured(found.background_at_95 if found else None), _measured(found.area if found else None)])
    return Table(titles, rows, frozenset(range(1, len(titles))),
                 caption=f"Generated {sample} above {least_pt:g} GeV; η and φ are effective resolutions", stacks=True)


def _shapes(study: TriggerStudy, sample: str) -> list[Table]:
    """One table for single particles, none for others."""
    titles = {"first_layer": "first layer", "core": "core, layers", "length": "length, layers", "width": "width, 0.001"}
    rows = []
    for one in study.systems:
        cells = [Cell(one.name)]
        for shape in one.on(sample).shapes:
            factor = _THOUSAND if shape.name == "width" else 1
            cells += [_measured(None if value is None else value.times(factor))
                      for value in (shape.signal, shape.background)]
        rows.append(cells)
    if not all(one.on(sample).shapes for one in study.systems):
        return []
    headings = ["system", *(title for name in titles.values() for title in (name, "pile-up"))]
    return [Table(headings, rows, frozenset(range(1, len(headings))),
                  caption=f"Shapes of the showers, mean of clusters above 10 GeV: {sample}, and pile-up", stacks=True)]


def _differences(study: TriggerStudy) -> Table:
    rows = [[Cell(one.sample), Cell(one.quantity), Cell(one.system), _measured(one.difference),
             Cell("tied" if one.tie else "")] for one in study.differences]
    return Table(["sample", "quantity", "system", f"minus {study.systems[0].name}", ""], rows, frozenset({3}))


def _plots(study: TriggerStudy, sample: str) -> list[Plot]:
    found = [Plot(f"trigger_{sample}_{name}", figures.resolution(study, sample, name), f"Resolution vs. {title}")
             for name, title in (("pt", "transverse momentum"), ("eta", "|η|"))]
    if any(one.on(sample).working_points for one in study.systems):
        found.append(Plot(f"trigger_{sample}_turn_on", figures.turn_on(study, sample), "Turn-on at equal rate"))
    if any(one.on(sample).rates for one in study.systems):
        found.append(Plot(f"trigger_{sample}_rates", figures.rates(study, sample),
                          f"Rates; all bunch crossings are {COLLISIONS_KHZ:,.0f} kHz"))
    if any(one.on(sample).identification for one in study.systems):
        found.append(Plot(f"trigger_{sample}_roc", figures.roc(study, sample), "Identification by shape"))
    return found


def _number(value: float, digits: int) -> Cell:
    return Cell(f"{value:.{digits}f}" if value else "-", value)


def _measured(value: Measured | None) -> Cell:
    return Cell("-") if value is None else Cell(str(value), value.value, value.error)
