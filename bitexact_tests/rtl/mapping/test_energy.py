"""Energies of a library and of a netlist, from numbers that are added up by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bitexact_tests.conftest import missing
from models.errors import InputError
from rtl.mapping import gates
from rtl.mapping.energy import energy
from rtl.mapping.gates import FLIP_FLOPS, Netlist
from rtl.mapping.liberty import Library
from rtl.mapping.synthesis import OSU018

LIBRARY = r"""
/* two cells; a comment { with a brace */
library(two) {
  time_unit : "1ns"; voltage_unit : "1V"; capacitive_load_unit (1,pf);
  nom_voltage : 2.0;
  cell (INVX1) {
    pin(A) { direction : input; capacitance : 0.01; }
    pin(Y) {
      direction : output; function : "(!A)";
      internal_power() {
        related_pin : "A";
        rise_power(table) { index_1 ("0.0, 0.1"); index_2 ("0.1, 0.3"); values ( \
          "1.0, 3.0", \
          "2.0, 4.0"); }
        fall_power(table) { index_1 ("0.0, 0.1"); index_2 ("0.1, 0.3"); values ("0, 0", "0, 0"); }
      }
    }
  }
  cell (DFFPOSX1) {
    pin(CLK) { direction : input; capacitance : 0.02;
      internal_power() { rise_power(line) { index_1 ("0.1, 0.3"); values ("0.3, 0.5"); } } }
    pin(D) { direction : input; capacitance : 0.05;
      internal_power() { rise_power(line) { index_1 ("0.1, 0.3"); values ("0.5, 0.9"); } } }
    pin(Q) { direction : output; }
  }
}
"""


@pytest.fixture
def library(tmp_path: Path) -> Library:
    (tmp_path / "two.lib").write_text(LIBRARY)
    return Library.read(tmp_path / "two.lib")


def test_tables_are_interpolated_and_not_extrapolated(library: Library) -> None:
    inverter = library.cells["INVX1"]
    assert library.volts == 2 and inverter.pins == {"A": 0.01}
    # Half of the slews, then none, half and all of the loads, and beyond them; the mean with a fall that takes nothing.
    np.testing.assert_allclose(inverter.energy("Y", np.array([0, 0.05, 0.1, 9]), 0.2), [1, 1.25, 1.5, 1.5])
    np.testing.assert_allclose(library.cells["DFFPOSX1"].energy("D", np.zeros(2), 0.1), [0.5, 0.5])
    np.testing.assert_allclose(inverter.energy("A", np.zeros(1), 0.1), [0])


@pytest.mark.parametrize(("text", "message"), [
    (LIBRARY.replace('"1ns"', '"1ps"'), "time_unit 1ps, expected 1ns"),
    (LIBRARY.replace("(1,pf)", "(1,ff)"), "capacitive_load_unit 1,ff, expected 1,pf"),
    (LIBRARY.replace('voltage_unit : "1V";', ""), "voltage_unit is missing, expected 1V"),
    (LIBRARY.replace("nom_voltage : 2.0;", ""), "nom_voltage is missing"),
])
def test_a_library_in_other_units_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "two.lib").write_text(text)
    with pytest.raises(InputError, match=message):
        Library.read(tmp_path / "two.lib")


def test_energy_of_an_inverter_before_a_register(library: Library, tmp_path: Path) -> None:
    cells = {"inverter": {"type": "INVX1", "connections": {"A": [2], "Y": [3]}},
             "register": {"type": "DFFPOSX1", "connections": {"CLK": [5], "D": [3], "Q": [4]}}}
    ports = {name: {"direction": way, "bits": [bit]}
             for name, way, bit in (("a", "input", 2), ("clk", "input", 5), ("q", "output", 4))}
    (tmp_path / "top.netlist").write_text(json.dumps({"modules": {"top": {"ports": ports, "cells": cells}}}))
    netlist = Netlist.load(tmp_path, "top")
    changes = np.zeros(netlist.n_nets)
    inverted = netlist.gates["INVX1"][0, 1]
    changes[inverted], changes[netlist.ports["q"][0]] = 3, 2
    found = energy(netlist, changes, library, clocks=4, register_bits=10)
    # Half of C V^2 = 2 C. The inverter drives 0.05 pF; inside it takes (1.5 + 2.5) / 2 of a rise, halved with the fall.
    inverter = 3 * (2 * 0.05 + (1 + 3 + 2 + 4) / 4 / 2)
    register = 3 * 0.7
    one_clock = 2 * (2 * 0.02 + 0.4)
    assert found.by_block_pj == pytest.approx({"top": inverter + register})
    assert found.clock_pins_pj == pytest.approx(4 * one_clock)
    assert found.register_clock_pins_pj == pytest.approx(40 * one_clock)
    assert found.total_pj == pytest.approx(inverter + register + 44 * one_clock)


def test_functions_are_those_of_the_library() -> None:
    """Every cell that is simulated, on all of its inputs."""
    if not OSU018.exists():
        missing("no standard cells: install the Debian package qflow-tech-osu018")
    text = OSU018.read_text()
    for cell in (name for name in gates._GATES if not name.startswith("$")):
        function = text[text.index(f"cell ({cell})") :].split('function : "')[1].split('"')[0]
        names = gates.pins(cell)
        rows = np.array([[number >> k & 1 for k in range(len(names))] for number in range(1 << len(names))])
        values = {name: -rows[:, k].astype(np.int64) for k, name in enumerate(names)}
        python = function.replace(" + ", "|").replace("+", "|").replace("!", "~").replace(" ", "&")  # a blank is an AND
        expected = eval(python, {}, values) & 1
        own = gates._GATES[cell][1](*(values[name].astype(np.uint64) for name in names)).astype(np.int64) & 1
        np.testing.assert_array_equal(own, expected, err_msg=cell)
    assert FLIP_FLOPS == ("$_DFF_P_", "DFFPOSX1")
