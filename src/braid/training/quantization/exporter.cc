// Rounding a braided network to integers. Layer: training.
#include "braid/training/quantization/exporter.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include "braid/model/cost.h"
#include "braid/model/layer_map.h"
#include "braid/model/operating_point_name.h"
#include "braid/model/rescale_tables.h"

namespace braid::training {
namespace {

using model::Activation;
using model::Layer;
using model::LayerTables;
using model::Network;
using model::Op;

// mul of 1 to 1: the fixed shift of the epilogue.
constexpr double kOne = 16777216.0;
// Below this the multiplier's rounding could move a value by more than 1/8 step (h > 2^22).
constexpr double kSmallestMul = 508;
// A weight step is raised at most this much for a sub-network with a tiny gain: beyond, that
// sub-network's channel is nearly constant, and the others' weights matter more.
constexpr double kMostStepRaise = 4;
// No bias needs more: h <= 2^22, and the products stay below 2^30 - 2^22 in any layer that fits.
constexpr double kMostBias = 1 << 29;
// Room above the largest value seen in calibration, for shortcuts and logits.
constexpr double kRangeMargin = 1.5;

int32_t Round(double value) { return static_cast<int32_t>(std::lround(value)); }

std::vector<double> ToVector(const torch::Tensor& t) {
  const torch::Tensor plain = t.detach().to(torch::kCPU).to(torch::kFloat64).contiguous().flatten();
  const double* data = plain.data_ptr<double>();
  return std::vector<double>(data, data + plain.numel());
}

bool HasWeights(const Layer& layer) { return layer.op == Op::kConv || layer.op == Op::kLinear; }

// Real value of one unit of the accumulator, per channel of a layer, in one sub-network; 0 for
// channels of absent groups.
using Units = std::vector<double>;

class Exporter {
 public:
  Exporter(BraidedNet& net, const Family& family, const std::vector<torch::Tensor>& inputs)
      : net_(net), family_(family), inputs_(inputs), network_(net.skeleton()) {}

  Result<Network> Run() {
    if (net_.bits() != 8) {
      return FailedPrecondition("a model file holds 8 bits, and this network was trained for " +
                                std::to_string(net_.bits()));
    }
    for (int sub = 0; sub < net_.sub_network_count(); ++sub) {
      if (!net_.bounded(sub) || net_.normalizing(sub)) {
        return FailedPrecondition("sub-network " + PointName({net_.groups(sub)}) +
                                  " has no bounds: its training has not ended");
      }
    }
    for (size_t l = 0; l < network_.layers.size(); ++l) {
      weight_steps_.push_back(HasWeights(network_.layers[l]) ? WeightSteps(static_cast<int>(l))
                                                             : std::vector<double>());
      if (HasWeights(network_.layers[l])) RoundWeights(static_cast<int>(l));
    }
    for (int sub = 0; sub < net_.sub_network_count(); ++sub) AddSubNetwork(sub);
    AddPoints();
    return std::move(network_);
  }

 private:
  const Layer& LayerAt(int l) const { return network_.layers[static_cast<size_t>(l)]; }

  std::vector<uint8_t> Present(const Layer& layer, GroupSet groups) const {
    std::vector<uint8_t> present;
    for (size_t g = 0; g < layer.group_channels.size(); ++g) {
      const bool here = !layer.Divided() || groups.Contains(static_cast<int>(g));
      present.insert(present.end(), static_cast<size_t>(layer.group_channels[g]), here ? 1 : 0);
    }
    return present;
  }

  // One step per output channel: the largest weight is 127, as training rounded it, raised where a
  // sub-network's multiplier would be too small.
  std::vector<double> WeightSteps(int l) const {
    const Layer& layer = LayerAt(l);
    const torch::Tensor largest = net_.weight(l).flatten(1).abs().amax(1);
    std::vector<double> steps = ToVector(largest / 127);
    for (double& step : steps) step = std::max(step, 1e-12);
    if (layer.activation == Activation::kLogits) return steps;
    std::vector<double> raise(steps.size(), 1);
    for (int sub = 0; sub < net_.sub_network_count(); ++sub) {
      const std::vector<double> gains = ToVector(net_.gain(sub, l));
      const std::vector<uint8_t> present = Present(layer, net_.groups(sub));
      const double ratio = net_.MapStep(sub, layer.input) / net_.MapStep(sub, l);
      for (size_t c = 0; c < steps.size(); ++c) {
        if (!present[c]) continue;
        const double mul = std::abs(gains[c]) * steps[c] * ratio * kOne;
        raise[c] = std::max(raise[c], kSmallestMul / std::max(mul, kSmallestMul / kMostStepRaise));
      }
    }
    for (size_t c = 0; c < steps.size(); ++c) steps[c] *= raise[c];
    return steps;
  }

  // Training holds [out, in, kh, kw]; the file [out, kh, kw, in], grouped layers spread over all
  // inputs with zeros where groups cross.
  void RoundWeights(int l) {
    Layer& layer = network_.layers[static_cast<size_t>(l)];
    const Layer& from = LayerAt(layer.input);  // of a grouped layer, the only one
    const torch::Tensor w = net_.weight(l).to(torch::kCPU).contiguous();
    const auto out = static_cast<size_t>(w.size(0)), held = static_cast<size_t>(w.size(1));
    const auto kernel = static_cast<size_t>(w.size(2) * w.size(3));
    const auto in = static_cast<size_t>(model::WeightExtentsOf(network_, layer).inputs);
    layer.weights.assign(out * kernel * in, 0);
    const float* data = w.data_ptr<float>();
    for (size_t o = 0; o < out; ++o) {
      size_t first = 0;  // input channel of the first held weight
      if (held != in) {
        int group = 0;
        while (o >= static_cast<size_t>(layer.GroupOffset(group) +
                                        layer.group_channels[static_cast<size_t>(group)])) {
          ++group;
        }
        first = static_cast<size_t>(from.GroupOffset(group));
      }
      for (size_t i = 0; i < held; ++i) {
        for (size_t k = 0; k < kernel; ++k) {
          const double value =
              data[(o * held + i) * kernel + k] / weight_steps_[static_cast<size_t>(l)][o];
          layer.weights[(o * kernel + k) * in + first + i] =
              static_cast<int8_t>(std::clamp(std::nearbyint(value), -127.0, 127.0));
        }
      }
    }
  }

  // Largest magnitude per layer and channel before the activation, over the calibration inputs.
  std::vector<std::vector<double>> Ranges(int sub) const {
    torch::NoGradGuard no_grad;
    net_.NewStep();
    std::vector<torch::Tensor> largest(network_.layers.size());
    for (const torch::Tensor& x : inputs_) {
      Observation observation;
      net_.Forward(sub, x, /*training=*/false, &observation);
      for (size_t l = 0; l < largest.size(); ++l) {
        if (!observation.wide[l].defined()) continue;
        const torch::Tensor magnitude =
            observation.wide[l].abs().transpose(0, 1).flatten(1).amax(1);
        largest[l] = largest[l].defined() ? torch::maximum(largest[l], magnitude) : magnitude;
      }
    }
    std::vector<std::vector<double>> ranges(largest.size());
    for (size_t l = 0; l < largest.size(); ++l) {
      if (!largest[l].defined()) continue;
      // Observed maps hold the channels of the sub-network only.
      const std::vector<double> seen = ToVector(largest[l]);
      size_t next = 0;
      for (const uint8_t here : Present(network_.layers[l], net_.groups(sub))) {
        ranges[l].push_back(here ? seen[next++] : 0);
      }
    }
    return ranges;
  }

  void AddSubNetwork(int sub) {
    model::SubNetwork out;
    out.groups = net_.groups(sub);
    out.tables.resize(network_.layers.size());
    const auto ranges = Ranges(sub);
    std::vector<Units> units(network_.layers.size());
    for (size_t l = 1; l < network_.layers.size(); ++l) {
      const Layer& layer = network_.layers[l];
      if (layer.op == Op::kMaxPool) continue;
      LayerTables& tables = out.tables[l];
      units[l] = AccumulatorUnits(sub, static_cast<int>(l));
      if (layer.activation == Activation::kLogits) {
        FillHead(sub, static_cast<int>(l), units[l], ranges[l], tables);
      } else {
        FillEpilogue(sub, static_cast<int>(l), units[l], tables);
      }
      if (layer.shortcut != model::kNoLayer) {
        const auto source = static_cast<size_t>(layer.shortcut);
        FillShortcut(units[source], ranges[source], units[l], tables);
      }
    }
    network_.sub_networks.push_back(std::move(out));
  }

  Units AccumulatorUnits(int sub, int l) const {
    const Layer& layer = LayerAt(l);
    const double in = net_.MapStep(sub, layer.input);
    const std::vector<uint8_t> present = Present(layer, net_.groups(sub));
    Units units(present.size(), 0);
    if (layer.op == Op::kSumPool) {
      const double window = layer.window.kernel_h * layer.window.kernel_w;
      for (size_t c = 0; c < units.size(); ++c) units[c] = present[c] ? in / window : 0;
      return units;
    }
    const std::vector<double> gains = ToVector(net_.gain(sub, l));
    for (size_t c = 0; c < units.size(); ++c) {
      if (present[c]) units[c] = in * weight_steps_[static_cast<size_t>(l)][c] * gains[c];
    }
    return units;
  }

  // bias and mul of a layer that leaves a map; corrects `units` to what the integer mul stands for.
  void FillEpilogue(int sub, int l, Units& units, LayerTables& tables) const {
    const Layer& layer = LayerAt(l);
    const double out_step = net_.MapStep(sub, l);
    const std::vector<uint8_t> present = Present(layer, net_.groups(sub));
    const std::vector<double> biases =
        HasWeights(layer) ? ToVector(net_.bias(sub, l)) : std::vector<double>(units.size(), 0);
    tables.bias.assign(units.size(), 0);
    tables.mul.assign(units.size(), 0);
    for (size_t c = 0; c < units.size(); ++c) {
      if (!present[c]) continue;
      const double sign = units[c] < 0 ? -1 : 1;
      const double mul =
          std::clamp(std::round(std::abs(units[c]) / out_step * kOne), kSmallestMul, kOne);
      tables.mul[c] = Round(sign * mul);
      units[c] = sign * mul * out_step / kOne;
      tables.bias[c] = Round(std::clamp(biases[c] / units[c], -kMostBias, kMostBias));
    }
  }

  void FillHead(int sub, int l, const Units& units, const std::vector<double>& range,
                LayerTables& tables) const {
    const std::vector<double> biases = ToVector(net_.bias(sub, l));
    std::vector<double> factors(units.size());
    double widest = 1;
    for (size_t c = 0; c < units.size(); ++c) {
      // A class whose gain is 0 has a constant logit: keep the bias by a unit that is not 0.
      const double unit = std::abs(units[c]) > 1e-9 ? units[c] : 1e-9;
      factors[c] = unit / kLogitStep;
      tables.bias.push_back(Round(std::clamp(biases[c] / unit, -kMostBias, kMostBias)));
      widest = std::max(widest, range[c] / std::abs(unit));
    }
    const model::RescaleTables rescale = model::MakeRescale(factors, widest * kRangeMargin);
    tables.clamp = rescale.clamp;
    tables.shift = rescale.shift;
    tables.mul = rescale.mul;
  }

  static void FillShortcut(const Units& source, const std::vector<double>& range,
                           const Units& units, LayerTables& tables) {
    std::vector<double> factors(units.size(), 0);
    double widest = 1;
    for (size_t c = 0; c < units.size(); ++c) {
      if (units[c] == 0) continue;  // an absent group
      factors[c] = source[c] / units[c];
      widest = std::max(widest, range[c] / std::abs(source[c]));
    }
    const model::RescaleTables rescale = model::MakeRescale(factors, widest * kRangeMargin);
    tables.shortcut_clamp = rescale.clamp;
    tables.shortcut_shift = rescale.shift;
    tables.shortcut_mul = rescale.mul;
  }

  void AddPoints() {
    std::vector<std::vector<GroupSet>> points;
    for (const GroupSet set : family_.sub_networks) points.push_back({set});
    points.insert(points.end(), family_.sums.begin(), family_.sums.end());
    for (const std::vector<GroupSet>& terms : points) {
      model::OperatingPoint point;
      point.name = model::FormatPointName(terms);
      for (const GroupSet term : terms) {
        point.terms.push_back(model::FindSubNetwork(network_, term));
      }
      point.head = static_cast<model::LayerIndex>(network_.layers.size()) - 1;
      const model::Cost cost = model::PointCost(network_, point);
      point.macs_mean = cost.macs;
      point.macs_worst = cost.macs;
      point.weight_bytes = cost.weight_bytes;
      network_.points.push_back(std::move(point));
    }
  }

  BraidedNet& net_;
  const Family& family_;
  const std::vector<torch::Tensor>& inputs_;
  Network network_;
  std::vector<std::vector<double>> weight_steps_;  // [layers][out channels]
};

}  // namespace

Result<Network> ExportNetwork(BraidedNet& net, const Family& family,
                              const std::vector<torch::Tensor>& inputs) {
  return Exporter(net, family, inputs).Run();
}

}  // namespace braid::training
