// Reads modules, sends each through the concentrator, writes what comes out.
//
// Arguments: file of parameters, file of modules, file to write. A line of parameters is a name and its numbers, or
// `modelFiles` and the two files of a pair of graphs. Modules and results are the structures below, one after another.
#include <cstdio>
#include <fstream>
#include <sstream>

constexpr int kCells = 48, kLatents = 16;
constexpr double kFullNorm = 2048;  // calibration 1.0 of the front end
constexpr double kCalqPerMip = 35;

#pragma pack(push, 1)
struct Module {
  int32_t links, type, layer, wafer_u, wafer_v;
  double eta;
  int32_t cell_u[kCells], cell_v[kCells], calq[kCells];
  uint8_t exists[kCells];
};
struct Result {
  double mip[kCells], calq[kCells];  // transverse MIPs as the software writes them, and the same as charges of the chip
  int32_t latent[kLatents];          // as it stores them; -1 where it stores none
};
#pragma pack(pop)

// Versions take the geometry in one of two ways.
template <typename C>
auto place(C& concentrator, const HGCalTriggerGeometryBase& geometry, int) -> decltype(concentrator.setGeometry(&geometry)) {
  concentrator.setGeometry(&geometry);
}
template <typename C>
void place(C& concentrator, const HGCalTriggerGeometryBase& geometry, long) {
  concentrator.eventSetup(edm::EventSetup{&geometry});
}

edm::ParameterSet parameters(const char* path) {
  edm::ParameterSet found;
  std::ifstream file(path);
  std::string line, name, encoder, decoder;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    words >> name;
    if (name == "modelFiles") {
      edm::ParameterSet pair;
      words >> pair.files["encoderModelFile"] >> pair.files["decoderModelFile"];
      found.sets[name].push_back(pair);
    } else {
      auto& values = found.numbers[name];
      for (double value; words >> value;)
        values.push_back(value);
    }
  }
  return found;
}

int main(int, char** arguments) try {
  HGCalConcentratorAutoEncoderImpl concentrator(parameters(arguments[1]));
  std::ifstream modules(arguments[2], std::ios::binary);
  std::ofstream results(arguments[3], std::ios::binary);
  for (Module module; modules.read(reinterpret_cast<char*>(&module), sizeof module);) {
    HGCalTriggerGeometryBase geometry;
    geometry.eta = module.eta;
    std::vector<l1t::HGCalTriggerCell> cells, sent;
    std::vector<l1t::HGCalConcentratorData> latents;
    std::map<unsigned, int> number;
    for (int i = 0; i < kCells; i++) {
      const HGCalTriggerDetId id(1, 1, module.type, module.layer, module.wafer_u, module.wafer_v, module.cell_u[i],
                                 module.cell_v[i]);
      number[id] = i;
      if (module.exists[i])
        geometry.cells.push_back(id);
    }
    for (const auto& [id, i] : number) {
      if (module.calq[i] <= 0)
        continue;
      // The smallest count of the front end that its calibration turns into this charge.
      const GlobalPoint point = geometry.getTriggerCellPosition(id);
      const double norm = std::round(kFullNorm / std::cosh(point.eta()));
      cells.emplace_back(math::PtEtaPhiMLorentzVector(module.calq[i] / kCalqPerMip, point.eta(), point.phi(), 0),
                         int(std::ceil(module.calq[i] * kFullNorm / norm)), 0, 0, 0, id);
      cells.back().setMipPt(module.calq[i] / kCalqPerMip);
      cells.back().setPosition(point);
    }
    Result result{};
    std::fill_n(result.latent, kLatents, -1);
    if (!cells.empty()) {
      place(concentrator, geometry, 0);
      concentrator.select(module.links, cells, sent, latents);
      const float counts = cells[0].hwPt() / (cells[0].mipPt() * std::cosh(cells[0].eta()));
      for (const auto& cell : sent) {
        const int i = number.at(cell.detId());
        const double norm = std::round(kFullNorm / std::cosh(cell.position().eta()));
        result.mip[i] += cell.mipPt();
        result.calq[i] += cell.mipPt() * std::cosh(cell.position().eta()) * counts * norm / kFullNorm;
      }
      for (const auto& latent : latents)
        result.latent[latent.index()] = latent.data();
    }
    results.write(reinterpret_cast<const char*>(&result), sizeof result);
  }
  return results.flush() ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << std::endl;
  return 1;
}
