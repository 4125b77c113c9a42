"""Graphs in the C++ of a checkout: the way from its sources to the check, with a small concentrator of our own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from models.calq_io import write_calq
from models.errors import ToolFailed
from models.trigger_cells import IMAGE_TO_TC, image_order
from training.__main__ import app

pytest.importorskip("tensorflow")

from bitexact_tests.samples.random_run import random_run
from training.physics.concentrator import CELL_U, CELL_V, SOURCE, Concentrator, rule_of
from training.production.condition_columns import CELLS
from training.results.software import SoftwareExport

HEADERS = "L1Trigger/L1THGCal/interface/concentrator"
UTILITY = """#pragma once
#include "DataFormats/ForwardDetId/interface/HGCalTriggerDetId.h"
inline int pixel(int u, int v) {
  return u > 3 && v > 3 ? (7 - u) * 8 + v : u > v ? (4 - u + v) * 8 + v : (4 + v - u) * 8 + u;
}
"""
HEADER = f"""#pragma once
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "PhysicsTools/TensorFlow/interface/TensorFlow.h"
#include "{HEADERS}/AEinputUtil.h"
class HGCalConcentratorAutoEncoderImpl {{
public:
  explicit HGCalConcentratorAutoEncoderImpl(const edm::ParameterSet& parameters);
  void setGeometry(const HGCalTriggerGeometryBase* geometry) {{ tools_.setGeometry(geometry); }}
  void select(unsigned links, const std::vector<l1t::HGCalTriggerCell>& cells,
              std::vector<l1t::HGCalTriggerCell>& sent, std::vector<l1t::HGCalConcentratorData>& data);
private:
  using Tensor = tensorflow::Tensor;
  Tensor run(const std::string& kind, unsigned links, const Tensor& input);
  edm::ParameterSet parameters_;
  std::map<std::string, std::vector<std::unique_ptr<tensorflow::Session>>> sessions_;
  std::map<std::string, std::pair<std::string, std::string>> nodes_;
  HGCalTriggerTools tools_;
}};
"""
BODY = f"""#include "{HEADERS}/HGCalConcentratorAutoEncoderImpl.h"
HGCalConcentratorAutoEncoderImpl::HGCalConcentratorAutoEncoderImpl(const edm::ParameterSet& parameters)
    : parameters_(parameters) {{
  for (const auto& pair : parameters.getParameter<std::vector<edm::ParameterSet>>("modelFiles"))
    for (const std::string kind : {{"encoder", "decoder"}}) {{
      const auto path = pair.getParameter<edm::FileInPath>(kind + "ModelFile").fullPath();
      const std::unique_ptr<tensorflow::GraphDef> graph(tensorflow::loadGraphDef(path));
      nodes_[kind] = {{graph->node(0).name(), graph->node(graph->node_size() - 1).name()}};
      sessions_[kind].emplace_back(tensorflow::createSession(graph.get()));
    }}
}}
tensorflow::Tensor HGCalConcentratorAutoEncoderImpl::run(
    const std::string& kind, unsigned links, const Tensor& input) {{
  const auto graph = parameters_.getParameter<std::vector<unsigned>>("linkToGraphMap").at(links);
  std::vector<Tensor> found;
  tensorflow::run(sessions_[kind].at(graph).get(), {{{{nodes_[kind].first, input}}}}, {{nodes_[kind].second}}, &found);
  return found.at(0);
}}
void HGCalConcentratorAutoEncoderImpl::select(
    unsigned links, const std::vector<l1t::HGCalTriggerCell>& cells, std::vector<l1t::HGCalTriggerCell>& sent,
    std::vector<l1t::HGCalConcentratorData>& data) {{
  const auto norm = [](double eta) {{ return std::round(2048 / std::cosh(eta)); }};
  std::array<long, 64> charge{{}};
  long sum = 0;
  for (const auto& cell : cells) {{
    const HGCalTriggerDetId id(cell.detId());
    sum += charge[pixel(id.triggerCellU(), id.triggerCellV())] = cell.hwPt() * long(norm(cell.eta())) >> 11;
  }}
  const int shift = 63 - __builtin_clzl(sum) - 7;
  Tensor image(tensorflow::DT_FLOAT, {{1, 8, 8, 1}}), seen(tensorflow::DT_FLOAT, {{1, 24}});
  for (int i = 0; i < 64; i++)
    image.flat<float>()(i) = (shift > 0 ? charge[i] >> shift : charge[i] << -shift) / 128.f;
  const Tensor latent = run("encoder", links, image);
  const int bits = parameters_.getParameter<std::vector<int>>("bitsPerLink").at(links);
  const double steps = 1 << (bits - 1);
  seen.flat<float>().setZero();
  for (int i = 0; i < 16; i++) {{
    const double value = std::min(std::floor(latent.flat<float>()(i) * steps) / steps, 2 - 1 / steps);
    seen.flat<float>()(i) = value;
    data.emplace_back(value * (1 << (parameters_.getParameter<int>("maxBitsPerOutput") - 1)), i, cells[0].detId());
  }}
  const HGCalTriggerDetId where(cells[0].detId());
  seen.flat<float>()(16) = tools_.getTriggerGeometry()->getModulePosition(where).eta() / 3.1;
  seen.flat<float>()(17) = where.waferV() / 12.0;
  seen.flat<float>()(18) = where.waferU() / 12.0;
  seen.flat<float>()(19 + where.type()) = 1;
  seen.flat<float>()(22) = std::log(sum + 1.0);
  seen.flat<float>()(23) = (where.layer() - 1) / 46.0;
  const Tensor map = run("decoder", links, seen);
  const float counts = cells[0].hwPt() / (cells[0].mipPt() * std::cosh(cells[0].eta()));
  for (const auto cell : tools_.getTriggerGeometry()->getTriggerCellsFromModule(0)) {{
    const HGCalTriggerDetId id(cell);
    const double value = map.flat<float>()(pixel(id.triggerCellU(), id.triggerCellV()));
    const GlobalPoint point = tools_.getTCPosition(id);
    if (value <= 0)
      continue;
    const double adc = (value + 0.5) * 2048 / norm(point.eta());
    sent.emplace_back(math::PtEtaPhiMLorentzVector(), adc, 0, 0, 0, id);
    sent.back().setMipPt(adc / counts / std::cosh(point.eta()));
    sent.back().setPosition(point);
  }}
}}
"""


def _checkout(folder: Path, body: str = BODY) -> Path:
    for name, text in ((SOURCE, body), (f"{HEADERS}/HGCalConcentratorAutoEncoderImpl.h", HEADER),
                       (f"{HEADERS}/AEinputUtil.h", UTILITY)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def _export(folder: Path, sources: Path, output: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["export", "--cmssw", "--run", str(folder / "five"), "--run", str(folder / "two"),
                                     "--output", str(folder / output), "--sources", str(sources)])
    return found.exit_code, found.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("concentrator")
    random_run(folder / "five", 5)
    two = random_run(folder / "two", 2, sharp=150.0, conditions=("eta", "layer", "waferu", "waferv", "wafertype"))
    rng, calq = np.random.default_rng(1), two.test.calq.copy()
    n = len(calq)
    whole = rng.random(n) < 0.5
    calq[~whole, 8:16] = 0
    there = np.ones((n, 48), bool)
    there[np.ix_(~whole, image_order()[8:16])] = False
    extra = pd.DataFrame({
        "eta": rng.uniform(-2.9, -1.6, n), "layer": rng.integers(1, 48, n), "waferu": rng.integers(-12, 13, n),
        "waferv": rng.integers(-12, 13, n), "wafertype": rng.integers(0, 3, n),
        CELLS: there.astype(np.int64) @ (1 << np.arange(48))})
    write_calq(two.test_file, calq, two.config.data.order, extra)
    return folder


@pytest.mark.slow
def test_the_software_decodes_as_its_stand_in(folder: Path) -> None:
    """Two classes of links, one with a conditional decoder and partial modules; cells at different calibrations."""
    sources = _checkout(folder / "src")
    status, output = _export(folder, sources, "cmssw")
    assert status == 0, output
    result = SoftwareExport.load(folder / "cmssw/software.json")
    assert result.source == str(sources / SOURCE)
    assert [(one.name, one.rule, one.n_modules) for one in result.concentrator] == [
        ("econ_t_2elink", "fork", 149), ("econ_t_5elink", "fork", 149)]
    for one in result.concentrator:
        assert (one.n_latents_differ, one.n_cells_differ) == (0, 0)
        assert one.energy == one.energy_expected and one.emd == pytest.approx(one.emd_expected, abs=1e-6)


@pytest.mark.slow
def test_what_the_software_does_otherwise_is_told(folder: Path) -> None:
    """It rounds latents, and leaves a pixel out of the sum that decoders see."""
    body = BODY.replace("std::floor(latent.flat<float>()(i) * steps)", "std::ceil(latent.flat<float>()(i) * steps + 1)")
    body = body.replace("std::log(sum + 1.0)", "std::log(sum - charge[0] + 1.0)")
    status, output = _export(folder, _checkout(folder / "other", body), "others")
    assert status == 1, output
    assert "check failed: econ_t_2elink, held-out modules, by the concentrator: latents of" in output
    assert "check failed: econ_t_5elink, held-out modules, by the concentrator: energy 0.9" in output


@pytest.mark.slow
def test_what_does_not_compile_or_throws_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match=r"g\+\+ failed on .*Impl.cc: .*error: .*nowhere"):
        Concentrator(_checkout(tmp_path / "broken", BODY.replace("->getTriggerCellsFromModule(0)", "->nowhere()")),
                     tmp_path)
    concentrator = Concentrator(_checkout(tmp_path / "good"), tmp_path)
    calq = np.ones((1, 48), int)
    with pytest.raises(ToolFailed, match=r"Impl.cc: parameter that the export does not write: modelFiles"):
        concentrator.run([], {"maxBitsPerOutput": 9}, calq, 5)


def test_sources_that_do_not_fit_are_refused(folder: Path) -> None:
    status, output = _export(folder, folder / "five", "none")
    assert status == 2
    assert f"{folder / 'five'}: no file {SOURCE}, expected the src folder of the experiment's software" in output
    upstream = _checkout(folder / "upstream")
    (upstream / HEADERS / "AEinputUtil.h").unlink()
    assert (rule_of(upstream), rule_of(_checkout(folder / "fork"))) == ("upstream", "fork")
    status, output = _export(folder, upstream, "none")
    assert status == 2
    assert "expected runs with training.decoder.sees_sum=false" in output
    assert not (folder / "none").exists()


def test_coordinates_of_the_software_are_those_of_the_image() -> None:
    """Neighbours in the image that lie in one rhombus are neighbours on the grid of the software, and all differ."""
    assert len(set(zip(CELL_U.tolist(), CELL_V.tolist(), strict=True))) == 48
    assert CELL_U[[0, 15, 16, 31, 32, 47]].tolist() == [7, 4, 1, 7, 3, 0]
    assert CELL_V[[0, 15, 16, 31, 32, 47]].tolist() == [4, 7, 0, 3, 6, 0]
    for cells in (IMAGE_TO_TC[:4, :4], IMAGE_TO_TC[:4, 4:], IMAGE_TO_TC[4:, :4]):
        for first, second in ((cells[1:], cells[:-1]), (cells[:, 1:], cells[:, :-1])):
            steps = {(int(u), int(v)) for u, v in zip((CELL_U[first] - CELL_U[second]).ravel(),
                                                      (CELL_V[first] - CELL_V[second]).ravel(), strict=True)}
            assert len(steps) == 1
            assert steps <= {(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1)}
