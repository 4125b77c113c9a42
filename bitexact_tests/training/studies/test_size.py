"""How big, how fast: estimates of a run, what the table and the page make of them, and the command."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.decoders import sized
from bitexact_tests.samples.results import chip_synthesis
from models.compact_decoder import CompactDecoder
from models.hardware import Implementation
from models.spec import EncoderSpec
from models.weights import EncoderWeights
from models.wording import split_command
from rtl.constant.layers import ConstantLayers
from rtl.results import ChipSynthesis, ConstantSynthesis, Resources
from training.__main__ import app
from training.fit.run import Run
from training.report.commands import commands
from training.report.hardware import hardware
from training.report.hardware_section import answer, hardware_section
from training.studies import size as module
from training.studies.size import size

pytest.importorskip("tensorflow")
pytest.importorskip("da4ml")


def counted(spec: EncoderSpec, technology: str) -> ChipSynthesis | None:
    """Of gates alone: look-up tables are not counted for this RTL."""
    resources = Resources(nand2=1234, ff=6)
    return chip_synthesis(spec, technology=technology, resources=resources) if technology == "gates" else None


@pytest.fixture
def run(random_runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A small run with two compact decoders of its weights, and one of others."""
    monkeypatch.setattr(module, "measured", counted)
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("weights.npz", "config.yaml", "decoder.npz"):
        (folder / name).write_bytes((random_runs[0] / name).read_bytes())
    found = Run(folder)
    (folder / "compact").mkdir()
    for macs, encoder in ((300, found.weights.digest()), (5000, found.weights.digest()), (400, "0" * 16)):
        made = CompactDecoder.random(sized(5, macs), 1, density=0.2)
        CompactDecoder(made.spec, made.arrays, encoder).save(folder / f"compact_{macs}.npz")
    (folder / "compact_5000.npz").rename(folder / "compact" / "compact_5000.npz")
    return found


def test_every_part_has_a_size_and_its_method(run: Run) -> None:
    found = size(run)
    assert found.is_of(run.weights.digest()) and found.encoder.parameters == 2144
    block, = found.block
    assert (block.nand2, block.latency_bx) == (1234, 4) and "Yosys" in block.tool and "counted once" in block.tool
    constants, = found.constants
    assert constants.lut == round(ConstantLayers.trace(run.weights).pipelined().cost)
    assert constants.tool.startswith("da4ml") and constants.latency_ns
    own, small, large = found.decoders
    # 16 latents and 2 numbers of the sum -> 8 -> 48.
    assert (own.macs, own.parameters) == (18 * 8 + 8 * 48, 19 * 8 + 9 * 48)
    decoder = CompactDecoder.load(run.folder / "compact_300.npz")
    assert (small.name, small.macs, small.parameters) == ("compact_300", decoder.spec.macs, len(decoder.flat))
    assert small.arithmetic == "integers, weights of 6 bits" and small.implementations[0].lut
    assert large.name == "compact/compact_5000" and large.implementations[0].absent
    assert large.implementations[0].tool == (
        f"not run (minutes): econ-t rtl decoder --decoder {run.folder}/compact/compact_5000.npz --output "
        f"{run.folder}/compact/compact_5000 --no-synthesise")


def test_what_was_mapped_stands_in_place_of_an_estimate(run: Run) -> None:
    path = run.folder / "compact_300" / "constant.json"
    path.parent.mkdir()
    rows = (Implementation(name="mapped", tool="a tool", lut=7),)
    result = ConstantSynthesis(digest=CompactDecoder.load(run.folder / "compact_300.npz").digest(), stages=4,
                               implementations=rows)
    result.save(path)
    assert size(run).decoders[1].implementations == rows
    result.model_copy(update={"digest": "of another decoder"}).save(path)
    assert size(run).decoders[1].implementations != rows


def test_table_takes_estimates_where_nothing_was_measured(run: Run) -> None:
    def named(start: str) -> list[Implementation]:
        return [row for row in hardware(run).implementations if row.name.startswith(start)]

    assert not hardware(run).decoders and all(row.absent for row in named("RTL"))
    size(run).save(run.size_file)
    assert [row.nand2 for row in named("RTL, parallel, in NAND2")] == [1234] and not named("RTL in NAND2")
    assert named("RTL in Xilinx")[0].tool.startswith("not run (about 8 min on one core): econ-t rtl synth ")
    assert [row.absent for row in named("RTL, these weights")] == [False, True]
    chip_synthesis(run.config.encoder, technology="gates", resources=Resources(nand2=99)).save(
        run.rtl_file("gates"))
    assert [row.nand2 for row in named("RTL, parallel, in NAND2")] == [99]
    EncoderWeights.random(run.config.encoder, 8).save(run.weights_file)
    again = hardware(Run(run.folder))
    assert not again.decoders and [row.lut for row in again.implementations if "constants" in row.name] == [None]


def test_answer_names_every_size_and_its_tool(run: Run) -> None:
    assert answer(hardware(run)) == []
    size(run).save(run.size_file)
    found = hardware(run)
    block, constants, own, small, large = answer(found)
    assert block == "The encoder block, with reloadable weights: 1,234 NAND2 (Yosys, pyosys 0.70); 4 BX = 100 ns."
    assert "LUT (da4ml " in constants and ", estimate); " in constants and constants.endswith(" ns.")
    assert own.startswith("Decoder run: 528 multiply-accumulates, 584 parameters, floating point")
    assert small.startswith("Decoder compact_300: ") and large.startswith("Decoder compact/compact_5000: ")
    assert " LUT (da4ml " in small and "LUT" not in large
    section = hardware_section(found, commands(run))
    assert section.points == answer(found)
    assert [len(table.rows) for table in section.children[0].tables] == [3, 2, 1]


def test_compact_decoders_of_a_shipped_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their names; what is made of them goes beside the runs."""
    monkeypatch.chdir(tmp_path)
    found = size(Run("econ_t_5elink"))
    assert [one.name for one in found.decoders[1:]] == ["compact_3k", "compact_30k"]
    (not_run,) = found.decoders[2].implementations
    expected = "--decoder econ_t_5elink/compact_30k.npz --output runs/shipped/econ_t_5elink/compact_30k "
    assert f"econ-t rtl decoder {expected}" in not_run.tool
    assert split_command(not_run.tool) == ("not run (minutes)", f"econ-t rtl decoder {expected}--no-synthesise")


@pytest.mark.parametrize("destination", ["file", "-"])
def test_command_answers_and_writes_the_file_of_the_report(run: Run, destination: str, tmp_path: Path) -> None:
    path = str(tmp_path / "size.json") if destination == "file" else "-"
    done = CliRunner().invoke(app, ["size", "--run", str(run.folder), "--json", path])
    assert done.exit_code == 0, done.output
    text = Path(path).read_text() if destination == "file" else done.stdout
    assert json.loads(text)["weights"] == run.weights.digest()
    answered = done.stdout if destination == "file" else done.stderr
    assert "1,234 NAND2" in answered and "compact_5000" in answered
    table, _, below = answered.partition("# RTL, placed in Lattice ECP5: not run (an hour)\n")
    pasted = shlex.split(below.replace(" \\\n", " ").splitlines()[0])
    assert pasted[:3] == ["econ-t", "rtl", "place"] and pasted[pasted.index("--fold") + 1] == "16"
    assert "not run (an hour): command below" in table
