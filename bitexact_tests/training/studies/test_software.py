"""Graphs for the experiment's software: the contract, the table, and the stand-in for its C++."""

from __future__ import annotations

import math
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bitexact_tests.samples.random_run import random_run
from emulator import encode
from models.errors import InputError
from models.trigger_cells import IMAGE_TO_TC, channel_to_pixel, to_trigger_cells
from training.__main__ import app
from training.fit.run import Run
from training.results.software import LinkClass, SoftwareCheck, SoftwareTable

tf = pytest.importorskip("tensorflow")

from training.networks.decoder import context  # noqa: E402
from training.networks.decoding import decode  # noqa: E402
from training.networks.software import SoftwareDecoder, frozen, sum_context, with_sum  # noqa: E402
from training.physics.software import FrozenGraph, Settings, run_software, software_conditions  # noqa: E402
from training.studies.software import RESULT_FILE, _check_onnx, export_software, settings_of  # noqa: E402
from training.studies.software_fragment import FRAGMENT_FILE  # noqa: E402


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    root = tmp_path_factory.mktemp("software")
    return [random_run(root / "five", 5), random_run(root / "two", 2)]


@pytest.fixture(scope="module")
def exported(runs: list[Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "cmssw"
    export_software(runs, folder)
    return folder


def _graph(path: Path) -> Any:
    definition = tf.compat.v1.GraphDef()
    definition.ParseFromString(path.read_bytes())
    return definition


def _scalar(folder: Path, table: SoftwareTable, n_links: int, calq: np.ndarray) -> tuple[list[float], dict[int, float]]:
    """One module as the C++ runs it: first and last node of the graph files, one tensor at a time."""

    def run(path: Path, value: np.ndarray) -> np.ndarray:
        definition = _graph(path)
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(definition, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            return session.run(definition.node[-1].name + ":0", {definition.node[0].name + ":0": value}).ravel()

    one = table.classes[table.link_to_graph[n_links]]
    image = [0] * 64
    for value, pixel in zip(calq.tolist(), channel_to_pixel().tolist(), strict=True):
        image[pixel] = value
    total = sum(image)
    shift = total.bit_length() - 1 - 7
    codes = [value >> shift if shift > 0 else value << -shift for value in image]
    latents = run(folder / one.encoder_file, np.array(codes, np.float32).reshape(1, 8, 8, 1) / 128)
    steps = 1 << (table.bits_per_link[n_links] - 1)
    sent = [min(math.floor(value * steps) / steps, 2 - 1 / steps) for value in latents.tolist()]
    inputs = np.array([*sent, 0, 0, 0, 0, 0, 0, math.log(total + 1), 0], np.float32)[None]
    out = run(folder / one.decoder_file, inputs)
    cells = {}
    for pixel, value in enumerate(out.tolist()):
        cell = int(IMAGE_TO_TC.ravel()[pixel])
        if cell >= 0 and value > 0:
            cells[cell] = value + 0.5
    return sent, cells


def test_stand_in_is_the_scalar_software(exported: Path, runs: list[Run]) -> None:
    five, two = runs
    whole = export_result(exported).table
    fewer = whole.model_copy(update={"classes": tuple(one.model_copy(update={"bits": 3}) for one in whole.classes)})
    for run, n_links, table in ((five, 5, whole), (five, 9, fewer), (two, 2, whole), (two, 3, whole)):
        calq = run.test.calq[1:7]
        one = table.classes[table.link_to_graph[n_links]]
        found = run_software(FrozenGraph(exported / one.encoder_file), FrozenGraph(exported / one.decoder_file), calq,
                             n_links, settings_of(table))
        for row, module in enumerate(calq):
            sent, cells = _scalar(exported, table, n_links, module)
            np.testing.assert_array_equal(found.latent[row], sent)
            assert set(np.flatnonzero(found.charge[row])) == set(cells)
            np.testing.assert_allclose([found.charge[row, cell] for cell in cells], list(cells.values()), rtol=1e-5)


def export_result(folder: Path) -> Any:
    from training.results.software import SoftwareExport

    return SoftwareExport.load(folder / RESULT_FILE)


def test_latents_are_those_of_the_emulator_and_energy_is_kept(exported: Path) -> None:
    result = export_result(exported)
    assert [check.name for check in result.checks] == ["econ_t_2elink", "econ_t_5elink"]
    assert not result.problems
    for check in result.checks:
        assert check.n_modules == 149  # the empty one is never sent
        assert check.n_latents_differ == 0
        assert abs(check.energy - 1) < 1e-4
        assert check.energy_fixed_sum > 1


def test_graphs_fulfil_the_contract(exported: Path) -> None:
    names = set()
    for one in export_result(exported).table.classes:
        for file, shape in ((one.encoder_file, [8, 8, 1]), (one.decoder_file, [24])):
            definition = _graph(exported / file)
            assert [node.name for node in definition.node if node.op == "Placeholder"] == [definition.node[0].name]
            assert [dim.size for dim in definition.node[0].attr["shape"].shape.dim][1:] == shape
            assert definition.node[0].attr["dtype"].type == tf.float32.as_datatype_enum
            names.add((len(shape), definition.node[0].name, definition.node[-1].name))
    assert names == {(3, "input_1", "encoded_vector/Relu"), (1, "decoder_input", "decoder_output/Sigmoid")}


def test_outputs_are_64_with_exact_zeros_where_no_cell_is(exported: Path) -> None:
    rng = np.random.default_rng(3)
    module_sum = np.array([1, 2, 3, 47, 950, 100_000])
    inputs = np.concatenate([rng.integers(0, 512, (6, 16)) / 256, software_conditions(module_sum, {})], axis=1)
    out = FrozenGraph(exported / "econ_t_5elink_decoder.pb").run(inputs)
    assert out.shape == (6, 64)
    assert (out >= 0).all()
    assert not out[:, IMAGE_TO_TC.ravel() < 0].any()
    assert ((out > 0).sum(axis=1) < 48).all()
    np.testing.assert_allclose((out + 0.5 * (out > 0)).sum(axis=1), module_sum, rtol=1e-5)


def test_every_decoder_runs_with_one_placeholder(tmp_path: Path) -> None:
    """Refining decoders contain the encoder, members are averaged; both decode as our own."""
    for number, options in enumerate(({"refinements": 2, "refinement_width": 8}, {"members": 2})):
        run = random_run(tmp_path / str(number), 4, sharp=1.0, **options)
        module = SoftwareDecoder(run.decoder, 24, 0.0)
        path = tmp_path / f"{number}.pb"
        path.write_bytes(frozen(module).SerializeToString())
        calq = run.test.calq[2:40]
        trace = encode(run.weights, calq)
        latent, module_sum = run.weights.spec.latent.value(trace["latent_code"]), trace["module_sum"]
        fractions = decode(run.decoder, latent, module_sum)
        expected = with_sum(tf.constant(fractions * module_sum[:, None], tf.float32),
                            tf.constant(module_sum[:, None], tf.float32), 0.0).numpy()
        inputs = np.concatenate([latent, software_conditions(module_sum, {})], axis=1)
        found = FrozenGraph(path).run(inputs)[:, channel_to_pixel()]
        np.testing.assert_allclose(to_trigger_cells(found), expected, atol=0.01, rtol=1e-3)


def test_a_decoder_that_does_not_see_the_sum_has_16_inputs_and_gives_fractions(tmp_path: Path) -> None:
    run = random_run(tmp_path / "run", 5, sees_sum=False)
    result = export_software([run], tmp_path / "out")
    assert result.table.decoder_inputs == 16
    assert "preserveModuleSum=True" in (tmp_path / "out" / FRAGMENT_FILE).read_text()
    out = FrozenGraph(tmp_path / "out" / "econ_t_5elink_decoder.pb").run(np.ones((3, 16)))
    np.testing.assert_allclose(out.sum(axis=1), 1, rtol=1e-5)
    up = run_software(FrozenGraph(tmp_path / "out/econ_t_5elink_encoder.pb"),
                      FrozenGraph(tmp_path / "out/econ_t_5elink_decoder.pb"), run.test.calq, 5,
                      settings_of(result.table), "upstream")
    cells = to_trigger_cells(run.test.calq) / 35
    kept = up.charge.sum(axis=1) > 0.99 * cells.sum(axis=1)  # suppression below 0.1 MIP loses the rest
    assert kept[cells.sum(axis=1) > 20].mean() > 0.9
    assert (up.charge[up.charge > 0] >= 0.1).all()


def test_sum_context_of_the_graph_is_that_of_the_training() -> None:
    module_sum = np.concatenate([np.arange(1, 5000), 2 ** np.arange(1, 22), 2 ** np.arange(2, 22) - 1,
                                 np.random.default_rng(1).integers(1, 1 << 22, 2000)])
    found = sum_context(tf.constant(module_sum[:, None], tf.float32)).numpy()
    np.testing.assert_allclose(found, context(module_sum), atol=2e-6)


def test_conditions_of_the_software_divide_integers() -> None:
    columns = {"eta": np.array([1.55]), "waferu": np.array([-11]), "waferv": np.array([12]), "layer": np.array([46]),
               "wafertype": np.array([2])}
    found = software_conditions(np.array([999]), columns)[0]
    np.testing.assert_allclose(found, [0.5, 1, 0, 0, 0, 1, np.log(1000), 0], rtol=1e-6)
    np.testing.assert_allclose(software_conditions(np.array([999]), columns, integer_division=False)[0, [1, 2, 7]],
                               [1, -11 / 12, 45 / 46], rtol=1e-6)


@pytest.mark.parametrize(("links", "graphs", "bits"), [
    ((5,), [0] * 15, [0, 1, 3, 5, 7, *[9] * 10]),
    ((2, 5), [0, 0, 0, 0, 0, *[1] * 10], [0, 1, 3, 3, 3, *[9] * 10]),
    ((2, 3, 4, 5), [0, 0, 0, 1, 2, *[3] * 10], [0, 1, 3, 5, 7, *[9] * 10]),
    ((2, 5, 7), [0, 0, 0, 0, 0, 1, 1, *[2] * 8], [0, 1, 3, 3, 3, *[9] * 10]),
])
def test_bits_are_those_of_the_graph(links: tuple[int, ...], graphs: list[int], bits: list[int]) -> None:
    known = {2: 3, 3: 5, 4: 7}
    table = SoftwareTable(decoder_inputs=24, classes=tuple(
        LinkClass(name=f"n{n}", run="r", weights="w", n_elinks=n, bits=known.get(n, 9), zero_fraction=0.0)
        for n in links))
    assert list(table.link_to_graph) == graphs
    assert list(table.bits_per_link) == bits
    assert table.untrained_links == tuple(range(min(links)))


def test_the_fragment_says_what_the_table_says(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fragment is run with a stand-in for the configuration language."""
    package, config = types.ModuleType("FWCore"), types.ModuleType("FWCore.ParameterSet.Config")
    config.VPSet = lambda *values: list(values)  # type: ignore[attr-defined]
    config.FileInPath = lambda value: value  # type: ignore[attr-defined]
    config.PSet = lambda **values: values  # type: ignore[attr-defined]
    package.ParameterSet = types.ModuleType("FWCore.ParameterSet")  # type: ignore[attr-defined]
    package.ParameterSet.Config = config
    for name, module in (("FWCore", package), ("FWCore.ParameterSet", package.ParameterSet),
                         ("FWCore.ParameterSet.Config", config)):
        monkeypatch.setitem(sys.modules, name, module)
    scope: dict[str, Any] = {}
    exec((exported / FRAGMENT_FILE).read_text(), scope)
    found, table = scope["econ_t_parameters"], export_result(exported).table
    assert found["linkToGraphMap"] == list(table.link_to_graph)
    assert found["bitsPerLink"] == list(table.bits_per_link)
    assert found["decoderShape"] == [1, table.decoder_inputs]
    assert found["cellRemap"] == IMAGE_TO_TC.ravel().tolist()
    assert (found["bitsPerADC"], found["bitsPerNorm"], found["bitsPerCALQ"]) == (22, 12, 23)
    assert found["preserveModuleSum"] is False
    assert [Path(one["decoderModelFile"]).name for one in found["modelFiles"]] == [
        one.decoder_file for one in table.classes]

    # Versions of the software take different sets of these parameters.
    every = ["modelFiles", "linkToGraphMap", "bitsPerLink", "encoderShape", "decoderShape", "nBitsPerInput",
             "maxBitsPerOutput", "zeroSuppresionThreshold", "preserveModuleSum", "saveEncodedValues"]
    for names in ([*every, "cellRemap", "cellRemapNoDuplicates"], [*every, "bitsPerCALQ", "normByMax", "verbose"]):
        signature = ", ".join(f"{name}=None" for name in [*names, "threshold_silicon"])
        exec(f"def create({signature}): return locals()", scope)
        more = {"verbose": 1} if "verbose" in names else {}
        made = scope["econ_t_concentrator"](scope["create"], **more)
        assert made == {name: found.get(name) for name in [*names, "threshold_silicon"]} | more
    exec("def create(modelFiles, linkToGraphMap): pass", scope)
    with pytest.raises(TypeError, match="bitsPerLink"):
        scope["econ_t_concentrator"](scope["create"])


def test_triton_repository_names_what_the_models_have(exported: Path) -> None:
    import onnx

    folders = sorted((exported / "triton").iterdir())
    assert len(folders) == 4
    for folder in folders:
        model = onnx.load(folder / "1" / "model.onnx").graph
        text = (folder / "config.pbtxt").read_text()
        assert f'name: "{folder.name}"' in text
        for value, word in ((model.input[0], "input"), (model.output[0], "output")):
            dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim][1:]
            line = next(line for line in text.splitlines() if line.startswith(word))
            assert f'"{value.name}"' in line
            assert f"[ {', '.join(map(str, dims))} ]" in line


def test_a_refining_decoder_may_jump_in_few_modules_and_no_other() -> None:
    expected = np.full((200, 64), 2.0)
    found, scale = expected.copy(), np.full(200, 100.0)
    found[7, 3] = 5.0
    _check_onnx(Path("d.onnx"), expected, found, scale, refines=True)
    with pytest.raises(RuntimeError, match=r"d.onnx: its outputs, after reading it back, differ"):
        _check_onnx(Path("d.onnx"), expected, found, scale)
    found[:3, 3] = 5.0
    with pytest.raises(RuntimeError, match=r"d.onnx: its outputs"):
        _check_onnx(Path("d.onnx"), expected, found, scale, refines=True)


def test_a_shipped_set_is_exported_with_a_sample(
    runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no held-out modules of its own."""
    five = Run(runs[0].folder)
    modules = five.test
    monkeypatch.setattr(Run, "test", property(lambda self: self.modules()))
    five.is_shipped = True
    assert export_software([five], tmp_path / "out", {"sample": modules}).checks[0].n_modules == 149
    with pytest.raises(InputError, match="comes without modules; name a file with --input"):
        export_software([five], tmp_path / "none")


def test_check_tells_what_is_not_within_the_limits() -> None:
    good = SoftwareCheck(name="n", data="d", n_modules=9, n_latents_differ=0, cells_true=2, cells=2, energy=1.004,
                         energy_fixed_sum=1.02, emd_own=0.5, emd=0.505)
    assert not good.problems
    bad = good.model_copy(update={"n_latents_differ": 1, "energy": 0.994, "emd": 0.511})
    assert [problem.split()[0] for problem in bad.problems] == ["latents", "energy", "EMD"]
    assert not good.model_copy(update={"emd_own": None, "emd": None}).problems


def test_command_fails_if_the_software_decodes_something_else(tmp_path: Path) -> None:
    """A flat decoder has charge everywhere; without it in nearly all cells the EMD is another one."""
    random_run(tmp_path / "flat", 3, sharp=0.1)
    found = CliRunner().invoke(app, ["export", "--cmssw", "--run", str(tmp_path / "flat"), "--json",
                                     str(tmp_path / "found.json")])
    assert found.exit_code == 1
    assert "check failed: econ_t_3elink, held-out modules: EMD" in found.output
    assert (tmp_path / "flat/cmssw" / FRAGMENT_FILE).exists()
    assert (tmp_path / "found.json").read_text() == (tmp_path / "flat/cmssw" / RESULT_FILE).read_text()


def test_runs_that_do_not_fit_together_are_refused(runs: list[Run], tmp_path: Path) -> None:
    five = runs[0]
    with pytest.raises(InputError, match=r"for 5 links, as .*five; expected one run per number of links"):
        export_software([five, five], tmp_path / "out")
    again = random_run(tmp_path / "four", 4)
    again.config = five.config.evolve(encoder={"n_elinks": 4})
    with pytest.raises(InputError, match="configuration econ_t_5elink is that of two runs"):
        export_software([five, again], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("options", "message"), [
    (["--input", "x.csv"], "--input needs --cmssw"),
    (["--json", "-"], "--json needs --cmssw"),
    (["--sources", "src"], "--sources needs --cmssw"),
    (["--run", "other"], "2 runs, expected one; --cmssw exports several"),
])
def test_options_of_the_software_alone(options: list[str], message: str) -> None:
    found = CliRunner().invoke(app, ["export", "--run", "runs/none", *options])
    assert found.exit_code == 2
    assert message in found.output


def test_graphs_of_others_that_cannot_run_are_refused(exported: Path, tmp_path: Path) -> None:
    two = _graph(exported / "econ_t_5elink_decoder.pb")
    extra = two.node.add()
    extra.CopyFrom(two.node[0])
    extra.name = "context"
    (tmp_path / "two.pb").write_bytes(two.SerializeToString())
    with pytest.raises(InputError, match=r"two.pb: placeholders decoder_input, context, expected its first node"):
        FrozenGraph(tmp_path / "two.pb")
    (tmp_path / "text.pb").write_text("no graph")
    with pytest.raises(InputError, match=r"text.pb: "):
        FrozenGraph(tmp_path / "text.pb")


def test_cells_that_do_not_exist_are_left_out(exported: Path, runs: list[Run]) -> None:
    table = export_result(exported).table
    valid = np.ones((20, 48), dtype=bool)
    valid[:, :16] = False
    calq = runs[0].test.calq[2:22]
    graphs = (FrozenGraph(exported / "econ_t_5elink_encoder.pb"), FrozenGraph(exported / "econ_t_5elink_decoder.pb"))
    found = run_software(*graphs, calq, 5, settings_of(table), valid=valid)
    assert not found.charge[:, :16].any()
    settings = Settings(table.bits_per_link, table.link_to_graph, 24, preserve_module_sum=True)
    fixed = run_software(*graphs, calq, 5, settings, valid=valid).charge
    less = fixed - 0.5 * (fixed > 0)
    some = fixed.any(axis=1)
    np.testing.assert_allclose(less[some].sum(axis=1), calq[some].sum(axis=1), rtol=1e-5)
