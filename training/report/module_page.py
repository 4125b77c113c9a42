"""A module on its way as a picture, or as a page with the picture and all its numbers."""

from __future__ import annotations

from pathlib import Path

from models.files import atomic_path, write_text
from models.provenance import provenance
from models.wording import counted
from training.figures.module import sent_module
from training.figures.style import style
from training.report.made_section import made_section
from training.report.parts import Cell, Plot, Section, Table, plain_table
from training.report.render import render
from training.results.module import SentModule, Transmission

_LEAST_SHOWN = 0.05  # CALQ
FORMATS = (".png", ".svg", ".pdf", ".html")
"""Suffixes of the files that can be written."""


def write_module(module: SentModule, path: Path) -> None:
    """Write a picture or a page, by the suffix of the path."""
    if path.suffix == ".html":
        with style("page"):
            write_text(path, _page(module))
        return
    with style("experiment"), atomic_path(path) as temporary:
        sent_module(module).savefig(temporary, format=path.suffix[1:], dpi=150)


def _page(module: SentModule) -> str:
    made, title = provenance(), f"Row {module.row} of {module.data}"
    picture = Plot("module", sent_module(module), f"Charges of row {module.row} on the wafer: the input and, as "
                   "received, of each algorithm the variant with the smallest EMD, above its difference to the input. "
                   "All charges share one scale.", wide=True)
    return render(title, title, f"Module sum {sum(module.true):,} CALQ, largest cell {max(module.true):,}", made=made,
                  sections=[
                      Section("On the wafer", plots=[picture]),
                      Section("Schemes", "The module alone through each: nothing waits in the output buffer before it.",
                              [_schemes(module)]),
                      Section("Charges by trigger cell", "In CALQ; cells with less than 0.05 everywhere are left out.",
                              [_charges(module)]),
                      *(_frame(one) for one in module.best),
                      made_section(made, {"module": title})])


def _schemes(module: SentModule) -> Table:
    rows = [[Cell(one.scheme), Cell(str(one.n_elinks), one.n_elinks), Cell(str(one.bits), one.bits),
             _number(one.emd, 3), _number(one.module_sum, 0), Cell(one.detail)] for one in module.transmissions]
    return Table(["scheme", "links", "bits", "EMD", "sum sent", "setting"], rows, frozenset({1, 2, 3, 4}))


def _charges(module: SentModule) -> Table:
    shown = [cell for cell, sent in enumerate(module.true)
             if max(sent, *(one.charge[cell] for one in module.best)) >= _LEAST_SHOWN]
    rows = [[Cell(str(cell), cell), Cell(f"{module.true[cell]:,}", module.true[cell]),
             *(_number(one.charge[cell], 1) for one in module.best)] for cell in shown]
    titles = ["cell", "input", *(one.scheme for one in module.best)]
    return Table(titles, rows, frozenset(range(len(titles))))


def _frame(sent: Transmission) -> Section:
    """Every field as a code; of what is sent for single cells or groups, the number of each that is there."""
    rows = [["words", " ".join(sent.words)]]
    for name, value in sent.fields.items():
        codes = str(value) if isinstance(value, int) else "; ".join(
            f"{number}: {code}" for number, code in enumerate(value) if code is not None)
        rows.append([name, codes])
    return Section(f"Frame of {sent.scheme} on {counted(sent.n_elinks, 'link')}", "As codes; a list gives number and "
                   "code of what was sent.", [plain_table(["field", "codes"], rows)])


def _number(value: float | None, digits: int) -> Cell:
    return Cell("-") if value is None else Cell(f"{value:,.{digits}f}", value)
