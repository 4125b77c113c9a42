// Just as much of the experiment's framework as its concentrator for autoencoders needs: every header that the
// concentrator includes, other than its own, is this one. Graphs run in TensorFlow's own C++ library.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <sys/types.h>  // uint

#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/platform/env.h"
#include "tensorflow/core/public/session.h"

namespace cms {
  class Exception : public std::exception {
  public:
    explicit Exception(const std::string& category) : text_(category + ": ") {}
    template <typename T>
    Exception& operator<<(const T& part) {
      std::ostringstream stream;
      stream << part;
      text_ += stream.str();
      return *this;
    }
    const char* what() const noexcept override { return text_.c_str(); }

  private:
    std::string text_;
  };
}  // namespace cms

namespace edm {
  class FileInPath {
  public:
    explicit FileInPath(std::string path = "") : path_(std::move(path)) {}
    const std::string& fullPath() const { return path_; }

  private:
    std::string path_;
  };

  // Numbers are kept as they were written, and converted to the type that is asked for.
  class ParameterSet {
  public:
    std::map<std::string, std::vector<double>> numbers;
    std::map<std::string, std::string> files;
    std::map<std::string, std::vector<ParameterSet>> sets;

    bool operator==(const ParameterSet& other) const { return numbers == other.numbers && files == other.files; }

    template <typename T>
    T getParameter(const std::string& name) const {
      if constexpr (std::is_same_v<T, FileInPath>) {
        return FileInPath(find(files, name));
      } else if constexpr (std::is_same_v<T, std::vector<ParameterSet>>) {
        return find(sets, name);
      } else if constexpr (std::is_arithmetic_v<T>) {
        return static_cast<T>(find(numbers, name).at(0));
      } else {
        const auto& values = find(numbers, name);
        return T(values.begin(), values.end());
      }
    }
    template <typename T>
    T getParameter(const char* name) const {
      return getParameter<T>(std::string(name));
    }

  private:
    template <typename M>
    static const typename M::mapped_type& find(const M& map, const std::string& name) {
      const auto found = map.find(name);
      if (found == map.end())
        throw cms::Exception("parameter that the export does not write") << name;
      return found->second;
    }
  };
}  // namespace edm

namespace tensorflow {
  using NamedTensor = std::pair<std::string, Tensor>;
  using NamedTensorList = std::vector<NamedTensor>;

  template <typename S>
  void need(const S& status, const std::string& what) {
    if (!status.ok())
      throw cms::Exception(what) << status.ToString();
  }
  inline void setLogging(const std::string& = "3") {}
  inline GraphDef* loadGraphDef(const std::string& path) {
    auto graph = std::make_unique<GraphDef>();
    need(ReadBinaryProto(Env::Default(), path, graph.get()), path);
    return graph.release();
  }
  inline Session* createSession(const GraphDef* graph) {
    SessionOptions options;
    options.config.set_intra_op_parallelism_threads(1);
    options.config.set_inter_op_parallelism_threads(1);
    std::unique_ptr<Session> session(NewSession(options));
    need(session->Create(*graph), "session");
    return session.release();
  }
  inline void run(Session* session, const NamedTensorList& inputs, const std::vector<std::string>& outputs,
                  std::vector<Tensor>* found) {
    need(session->Run(inputs, outputs, {}, found), "run");
  }
}  // namespace tensorflow

// Identifier of a trigger cell: its fields side by side. Wafers count from -16.
class HGCalTriggerDetId {
public:
  HGCalTriggerDetId(uint32_t id) : id_(id) {}
  HGCalTriggerDetId(int subdet, int zside, int type, int layer, int wafer_u, int wafer_v, int cell_u, int cell_v)
      : id_(uint32_t(subdet & 3) << 28 | uint32_t(zside > 0) << 27 | uint32_t(type & 3) << 25 | uint32_t(layer) << 17 |
            uint32_t(wafer_u + 16) << 12 | uint32_t(wafer_v + 16) << 7 | uint32_t(cell_u) << 3 | uint32_t(cell_v)) {}
  operator uint32_t() const { return id_; }
  int subdet() const { return field(28, 3); }
  int zside() const { return field(27, 1) ? 1 : -1; }
  int type() const { return field(25, 3); }
  int layer() const { return field(17, 255); }
  int waferU() const { return field(12, 31) - 16; }
  int waferV() const { return field(7, 31) - 16; }
  int triggerCellU() const { return field(3, 7); }
  int triggerCellV() const { return field(0, 7); }

private:
  int field(int shift, int mask) const { return int(id_ >> shift) & mask; }
  uint32_t id_;
};

class GlobalPoint {
public:
  explicit GlobalPoint(double eta = 0, double phi = 0) : eta_(eta), phi_(phi) {}
  double eta() const { return eta_; }
  double phi() const { return phi_; }

private:
  double eta_, phi_;
};

// One module at a time, with the cells that exist.
class HGCalTriggerGeometryBase {
public:
  double eta = 0;
  std::vector<unsigned> cells;

  unsigned getModuleFromTriggerCell(unsigned id) const { return id & ~127u; }
  const std::vector<unsigned>& getTriggerCellsFromModule(unsigned) const { return cells; }
  GlobalPoint getModulePosition(unsigned) const { return GlobalPoint(eta); }
  GlobalPoint getTriggerCellPosition(unsigned id) const {
    const HGCalTriggerDetId cell(id);  // cells of one module are not all at the same eta
    return GlobalPoint(eta + 0.004 * (cell.triggerCellU() - cell.triggerCellV()));
  }
  bool validTriggerCell(unsigned id) const {
    for (const auto& cell : cells)
      if (cell == id)
        return true;
    return false;
  }
};

namespace edm {
  struct EventSetup {
    const HGCalTriggerGeometryBase* geometry;
  };
}  // namespace edm

class HGCalTriggerTools {
public:
  void setGeometry(const HGCalTriggerGeometryBase* geometry) { geometry_ = geometry; }
  void eventSetup(const edm::EventSetup& setup) { geometry_ = setup.geometry; }
  const HGCalTriggerGeometryBase* getTriggerGeometry() const { return geometry_; }
  GlobalPoint getTCPosition(unsigned id) const { return geometry_->getTriggerCellPosition(id); }
  bool isScintillator(unsigned) const { return false; }

private:
  const HGCalTriggerGeometryBase* geometry_ = nullptr;
};

namespace math {
  struct PtEtaPhiMLorentzVector {
    double et = 0, eta = 0, phi = 0, mass = 0;
    PtEtaPhiMLorentzVector(double et = 0, double eta = 0, double phi = 0, double mass = 0)
        : et(et), eta(eta), phi(phi), mass(mass) {}
  };
}  // namespace math

namespace reco {
  struct LeafCandidate {
    using LorentzVector = math::PtEtaPhiMLorentzVector;
  };
}  // namespace reco

namespace l1t {
  class HGCalTriggerCell {
  public:
    HGCalTriggerCell(const math::PtEtaPhiMLorentzVector& p4, int pt, int, int, int, uint32_t id)
        : p4_(p4), hw_pt_(pt), id_(id) {}
    uint32_t detId() const { return id_; }
    int hwPt() const { return hw_pt_; }
    double mipPt() const { return mip_pt_; }
    double et() const { return p4_.et; }
    double pt() const { return p4_.et; }
    double eta() const { return p4_.eta; }
    double phi() const { return p4_.phi; }
    uint32_t uncompressedCharge() const { return uncompressed_; }
    uint32_t compressedCharge() const { return compressed_; }
    const GlobalPoint& position() const { return position_; }
    void setUncompressedCharge(uint32_t value) { uncompressed_ = value; }
    void setCompressedCharge(uint32_t value) { compressed_ = value; }
    void setMipPt(double value) { mip_pt_ = value; }
    void setP4(const math::PtEtaPhiMLorentzVector& p4) { p4_ = p4; }
    void setPosition(const GlobalPoint& position) { position_ = position; }

  private:
    math::PtEtaPhiMLorentzVector p4_;
    GlobalPoint position_;
    int hw_pt_;
    uint32_t id_, uncompressed_ = 0, compressed_ = 0;
    double mip_pt_ = 0;
  };

  class HGCalConcentratorData {
  public:
    HGCalConcentratorData(uint32_t data, uint32_t index, uint32_t id) : data_(data), index_(index), id_(id) {}
    uint32_t data() const { return data_; }
    uint32_t index() const { return index_; }
    uint32_t detId() const { return id_; }

  private:
    uint32_t data_, index_, id_;
  };
}  // namespace l1t
