"""Synthesis, proofs and the command line of the RTL, on blocks that take seconds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import In, Out
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY, missing
from models.errors import ToolMissing
from models.fixed_point import FixedPoint
from models.registers import chip_spec
from rtl import synthesis, yosys
from rtl.__main__ import app
from rtl.block import Block
from rtl.chip import AutoencoderChip
from rtl.formal import PROOFS, Disproved, prove
from rtl.normaliser import ChannelShifter, FloatEncoder
from rtl.registers import RegisterBank, TripleBank
from rtl.synthesis import instance_counts, synthesise

QUICK_PROOFS = [name for name in PROOFS if "product" not in name]


@pytest.fixture(autouse=True)
def _tools() -> None:
    try:
        yosys.version()
    except ToolMissing as error:
        missing(str(error))


@pytest.mark.parametrize("name", QUICK_PROOFS)
def test_equal_for_all_inputs(name: str) -> None:
    prove(PROOFS[name])


def test_a_wrong_description_is_disproved() -> None:
    """The block's own mistake or the description's: one input that differs is found among 2^22."""
    proof = PROOFS["5E4M encoder"]
    wrong = replace(proof, miter=proof.miter.replace("code == expected", "code == expected || value == 22'd77777"))
    prove(wrong)
    wrong = replace(proof, miter=proof.miter.replace("code == expected", "(code ^ (value == 22'd77777)) == expected"))
    with pytest.raises(Disproved, match="77777"):
        prove(wrong)


def test_registers_in_three_copies_take_three_times_the_flip_flops() -> None:
    reset = bytes(range(4))
    single, triple = (synthesise(bank(reset), "gates") for bank in (RegisterBank, TripleBank))
    assert single.total["ff"] == 32 and triple.total["ff"] == 96
    assert {row.block.split("_")[0]: row.instances for row in triple.blocks} == {"register": 3, "voter": 1, "triple": 1}


def test_look_up_tables_of_small_blocks() -> None:
    """A shift of 22 positions by five steps of 2:1 takes no more than one table per bit and step."""
    result = synthesise(ChannelShifter(FixedPoint.parse("U1.7")), "xc7")
    assert 0 < result.total["lut"] < 5 * 29 and result.total["ff"] == 0 and result.blocks[0].levels > 1
    assert json.loads(result.to_json())["total"] == result.total and result.tool.startswith("Yosys")


class Chain(Block):
    """Channels one after the other, with a register in the middle of them."""

    clocked = True

    def __init__(self) -> None:
        super().__init__("chain", {"charge": In(22), "shift": In(5), "code": Out(8)})
        self.channel = self.uses(ChannelShifter(FixedPoint.parse("U1.7")))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        charge: Value = self.charge
        for k, registered in enumerate([False, True, False, False]):
            found = self.place(m, f"channel_{k}", self.channel, charge=charge, shift=self.shift, enable=charge.any())
            charge = found["code"]
            if registered:
                charge = Signal(8, name="between")
                m.d.sync += charge.eq(found["code"])
        m.d.sync += self.code.eq(charge)
        return m


@pytest.mark.parametrize(("technology", "library", "flip_flop"), [
    ("gates", [], "nothing"),
    ("ecp5", ["read_verilog -lib +/ecp5/cells_sim.v"], "TRELLIS_FF"),
    ("xc7", ["read_verilog -lib +/xilinx/cells_sim.v"], "FD?E"),
])
def test_longest_path_over_blocks_is_that_of_the_flat_netlist(
    tmp_path: Path, technology: str, library: list[str], flip_flop: str
) -> None:
    top = Chain()
    result = synthesise(top, technology, keep=tmp_path)
    files = [tmp_path / f"{block.module_name}.netlist" for block in top.definitions()]
    log = yosys.run([*library, *(f"read_json {path}" for path in files), "hierarchy -top chain", "flatten", "opt_clean",
                     "select chain/*", f"select -del chain/t:{flip_flop}", "ltp -noff"])
    found = re.search(r"Longest topological path in chain \(length=(\d+)\)", log)
    assert found is not None and result.levels == int(found[1]) > max(row.levels for row in result.blocks)
    assert result.memory_bits == 0 and result.register_bits == 0


def test_standard_cells_have_an_area_where_their_library_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if synthesis.OSU018.exists():
        result = synthesise(RegisterBank(bytes(4)), "osu018")
        assert result.total["ff"] == 32 and result.total["area_um2"] > 32 * 50
    monkeypatch.setattr(synthesis, "OSU018", tmp_path / "none.lib")
    with pytest.raises(ToolMissing, match=r"none\.lib is not there: install the Debian package qflow-tech-osu018"):
        synthesise(RegisterBank(bytes(4)), "osu018")


def test_every_instance_is_counted() -> None:
    placed = {"top": Counter(pair=2, leaf=1), "pair": Counter(leaf=3), "leaf": Counter()}
    assert instance_counts("top", placed) == {"top": 1, "pair": 2, "leaf": 7}
    blocks = [block.module_name for block in AutoencoderChip(chip_spec(5)).definitions()]
    assert len(blocks) == len(set(blocks)) and sum(name.startswith("neuron_128_") for name in blocks) == 1


def test_command_line_writes_verilog_whole_or_not_at_all(tmp_path: Path) -> None:
    config = REPOSITORY / "configs" / "econ_t_2elink.yaml"
    target = tmp_path / "encoder.v"
    command = [sys.executable, "-m", "rtl", "verilog", "--config", str(config), "--output", str(target)]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    assert "module autoencoder_chip(" in target.read_text()
    broken = [*command[:5], str(tmp_path / "none.yaml"), *command[6:]]
    target.unlink()
    result = subprocess.run(broken, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 2 and result.stderr.count("\n") == 1 and not list(tmp_path.iterdir())


def test_an_error_of_yosys_is_one_exception_with_its_words() -> None:
    with pytest.raises(yosys.YosysError, match="No such command: nonsense"):
        yosys.run(["nonsense"])


def test_yosys_ends_at_its_time_bound() -> None:
    with pytest.raises(TimeoutError, match="more than"):
        yosys.run(["exec -- sleep 20"], timeout_seconds=0.5)


def test_float_encoder_saturates_where_the_exponent_ends() -> None:
    """2 bits of exponent and 3 of mantissa for 8-bit numbers: the published rule, all 256 values."""
    from amaranth.sim import Simulator, SimulatorContext

    block, found = FloatEncoder(8, 2, 3), []

    async def drive(context: SimulatorContext) -> None:
        for value in range(256):
            context.set(block.value, value)
            await context.delay(1e-9)
            found.append(context.get(block.code))

    simulator = Simulator(block)
    simulator.add_testbench(drive)
    simulator.run()
    lengths = [value.bit_length() for value in range(256)]
    expected = [value if n <= 3 else min((n - 3) * 8 + (value >> n - 4) % 8, 31) if n - 3 < 4 else 31
                for value, n in zip(range(256), lengths, strict=True)]
    np.testing.assert_array_equal(found, expected)


def test_unknown_proof_is_told_in_one_line() -> None:
    done = CliRunner().invoke(app, ["formal", "--only", "mask of 61 bits"])
    assert done.exit_code == 2
    assert "--only 'mask of 61 bits'; did you mean 'mask of 16 bits'?" in done.stderr and done.stderr.count("\n") == 1
