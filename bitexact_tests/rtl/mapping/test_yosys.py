"""What Yosys is given and what it says: file names, errors, a bound on its time."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest

from models.errors import InputError
from models.fixed_point import FixedPoint
from rtl.design.normaliser import ChannelShifter
from rtl.design.registers import RegisterBank
from rtl.mapping import synthesis, yosys
from rtl.mapping.proofs import PROOFS, prove
from rtl.mapping.synthesis import synthesise
from rtl.simulation.simulate import Simulation
from rtl.simulation.upsets import registers

pytestmark = pytest.mark.usefixtures("_yosys")


def test_file_names_with_blanks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Netlists that are kept, and every file that Yosys reads or writes on the way."""
    folder = tmp_path / "a b; #c"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    block = ChannelShifter(FixedPoint.parse("U1.7"))
    synthesise(block, "gates", keep=folder / "my netlists")
    assert {path.name for path in (folder / "my netlists").iterdir()} >= {"channel_shifter.netlist", "design.json"}
    yosys.write_verilog(block, folder / "top.v")
    assert "module channel_shifter(" in (folder / "top.v").read_text()
    assert len(registers(RegisterBank(bytes(2)))) == 2
    prove(PROOFS["5E4M encoder"])
    for technology in ("xc7", "xcup", "ecp5"):
        assert re.fullmatch(r'techmap -map ".*/add_to_alu\.v"', synthesis.TECHNOLOGIES[technology].passes[0])
    with pytest.raises(InputError, match="the path has a blank, and Verilator cannot build there"):
        Simulation.build(block, folder / "model")


def test_an_error_of_yosys_is_one_exception_with_its_words() -> None:
    with pytest.raises(yosys.YosysError, match="No such command: nonsense"):
        yosys.run(["nonsense"])


def test_yosys_ends_at_its_time_bound() -> None:
    with pytest.raises(TimeoutError, match="more than"):
        yosys.run(["exec -- sleep 20"], timeout_seconds=0.5)
