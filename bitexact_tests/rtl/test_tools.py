"""Synthesis, proofs and the command line of the RTL, on blocks that take seconds."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import In, Out
from typer.testing import CliRunner

from bitexact_tests.conftest import REPOSITORY, missing
from models.calq_io import write_calq
from models.errors import InputError, ToolFailed, ToolMissing
from models.fixed_point import FixedPoint
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from rtl.__main__ import app
from rtl.design.block import Block
from rtl.design.chip import AutoencoderChip
from rtl.design.normaliser import ChannelShifter, FloatEncoder
from rtl.design.registers import RegisterBank, TripleBank
from rtl.mapping import synthesis, yosys
from rtl.mapping.proofs import PROOFS, Disproved, prove
from rtl.mapping.synthesis import instance_counts, synthesise
from rtl.results import Synthesis
from rtl.simulation.simulate import Port, Simulation
from rtl.simulation.upsets import registers

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
    assert single.total.ff == 32 and triple.total.ff == 96
    assert {row.block.split("_")[0]: row.instances for row in triple.blocks} == {"register": 3, "voter": 1, "triple": 1}


def test_look_up_tables_of_small_blocks(tmp_path: Path) -> None:
    """A shift of 22 positions by five steps of 2:1 takes no more than one table per bit and step."""
    result = synthesise(ChannelShifter(FixedPoint.parse("U1.7")), "xc7")
    assert result.total.lut is not None and 0 < result.total.lut < 5 * 29
    assert (result.total.ff, result.total.nand2) == (0, None) and result.blocks[0].levels > 1
    result.save(tmp_path / "rtl_xc7.json")
    assert Synthesis.load(tmp_path / "rtl_xc7.json") == result and result.tool.startswith("Yosys")


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
    with pytest.raises(InputError, match="a blank in the path, expected none where Verilator builds"):
        Simulation.build(block, folder / "model")


def test_two_runs_of_a_model_at_once(tmp_path: Path) -> None:
    """A stand-in for the compiled model that answers, after a while, with what it was asked."""
    program = tmp_path / "model"
    program.write_text('#!/bin/sh\nsleep 0.3\ncp "$1" "$2"\n')
    program.chmod(0o755)
    simulation = Simulation(program, (Port("asked", 8, True), Port("answer", 8, False)))
    inputs = [simulation.idle(5) for _ in range(2)]
    inputs[1]["asked"] = 7
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda records: simulation.run(records, tmp_path)["answer"].tolist(), inputs))
    assert found == [[[0]] * 5, [[7]] * 5]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_simulation_runs_the_model_that_it_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not that in the folder --build, which another command may have replaced."""
    programs = []

    def run(self: Simulation, *_: object) -> None:
        programs.append(self.program)
        raise ToolFailed("no more is needed")

    monkeypatch.setattr(Simulation, "build", lambda top, folder: Simulation.built(top, folder))
    monkeypatch.setattr(Simulation, "run", run)
    spec = EncoderSpec.chip(5)
    EncoderWeights.random(spec, 1).save(tmp_path / "weights.npz")
    write_calq(tmp_path / "calq.csv", np.zeros((3, 48), dtype=int))
    done = CliRunner().invoke(app, [
        "sim", "--config", str(REPOSITORY / "configs" / "econ_t_5elink.yaml"), "--weights",
        str(tmp_path / "weights.npz"), "--input", str(tmp_path / "calq.csv"), "--output", str(tmp_path / "latent.csv"),
        "--build", str(tmp_path / "model")])
    assert done.exit_code == 2 and "no more is needed" in done.stderr
    assert programs[0].is_relative_to(tmp_path) and not programs[0].is_relative_to(tmp_path / "model")


def test_standard_cells_have_an_area_where_their_library_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if synthesis.OSU018.exists():
        result = synthesise(RegisterBank(bytes(4)), "osu018")
        assert result.total.ff == 32 and result.total.area_um2 is not None and result.total.area_um2 > 32 * 50
    monkeypatch.setattr(synthesis, "OSU018", tmp_path / "none.lib")
    with pytest.raises(ToolMissing, match=r"none\.lib is not there: install the Debian package qflow-tech-osu018"):
        synthesise(RegisterBank(bytes(4)), "osu018")


def test_every_instance_is_counted() -> None:
    placed = {"top": Counter(pair=2, leaf=1), "pair": Counter(leaf=3), "leaf": Counter()}
    assert instance_counts("top", placed) == {"top": 1, "pair": 2, "leaf": 7}
    blocks = [block.module_name for block in AutoencoderChip(EncoderSpec.chip(5)).definitions()]
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
