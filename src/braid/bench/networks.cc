#include "braid/bench/networks.h"

#include <cmath>

#include "braid/base/rng.h"
#include "braid/kernels/requantization.h"
#include "braid/model/cost.h"
#include "braid/model/file.h"
#include "braid/model/operating_point_name.h"

namespace braid::bench {
namespace {

using model::Activation;
using model::Layer;
using model::LayerIndex;
using model::LayerTables;
using model::Network;
using model::Op;

constexpr int kSide = 32, kImageChannels = 3, kStem = 16, kStages = 3, kBlocks = 3, kClasses = 10;
// Typical magnitudes of a map's and a weight's integers here.
constexpr double kUsualInput = 45, kUsualWeight = 30;

class Builder {
 public:
  explicit Builder(uint64_t seed) : rng_(seed) {
    network_.name = "resnet20_random";
    network_.groups = 1;
    network_.card = R"({"dataset": "none: random weights, for measurements"})";
    network_.input_h = network_.input_w = kSide;
    network_.input_c = kImageChannels;
    for (int c = 0; c < kClasses; ++c) network_.labels.push_back("class" + std::to_string(c));
    Layer input;
    input.name = "input";
    input.activation = Activation::kSigned;
    input.out_h = input.out_w = kSide;
    input.group_channels = {kImageChannels};
    network_.layers.push_back(std::move(input));
    network_.sub_networks.push_back({.groups = GroupSet::First(1), .tables = {LayerTables{}}});
  }

  LayerIndex Conv(const std::string& name, LayerIndex input, int channels, int kernel, int stride,
                  LayerIndex shortcut = model::kNoLayer) {
    Layer layer;
    const int pad = kernel / 2;
    layer.op = Op::kConv;
    layer.name = name;
    layer.input = input;
    layer.shortcut = shortcut;
    layer.window = {kernel, kernel, stride, stride, pad, pad, pad, pad};
    layer.out_h = layer.out_w = (At(input).out_h + 2 * pad - kernel) / stride + 1;
    layer.group_channels = {channels};
    const int products = kernel * kernel * At(input).Channels();
    return Add(std::move(layer), products, channels * products);
  }

  LayerIndex SumPool(LayerIndex input) {
    const int side = At(input).out_h;
    Layer layer;
    layer.op = Op::kSumPool;
    layer.name = "pool";
    layer.input = input;
    layer.window = {side, side, 1, 1, 0, 0, 0, 0};
    layer.out_h = layer.out_w = 1;
    layer.group_channels = At(input).group_channels;
    return Add(std::move(layer), side * side, 0);
  }

  void Head(LayerIndex input) {
    Layer layer;
    layer.op = Op::kLinear;
    layer.name = "head";
    layer.input = input;
    layer.activation = Activation::kLogits;
    layer.out_h = layer.out_w = 1;
    layer.group_channels = {kClasses};
    const int products = At(input).Channels();
    Add(std::move(layer), products, kClasses * products);
  }

  Result<Network> Take() {
    model::OperatingPoint point;
    point.terms = {0};
    point.head = static_cast<LayerIndex>(network_.layers.size()) - 1;
    point.name = model::FormatPointName({network_.sub_networks[0].groups},
                                        model::ExitOfHead(network_, point.head));
    const model::Cost cost = model::PointCost(network_, point);
    point.macs_mean = point.macs_worst = cost.macs;
    point.weight_bytes = cost.weight_bytes;
    network_.points.push_back(std::move(point));
    BRAID_RETURN_IF_ERROR(model::Validate(network_));
    return std::move(network_);
  }

 private:
  const Layer& At(LayerIndex i) const { return network_.layers[static_cast<size_t>(i)]; }

  LayerIndex Add(Layer layer, int products, int weights) {
    for (int i = 0; i < weights; ++i) {
      layer.weights.push_back(static_cast<int8_t>(std::lround(
          std::min(127.0, std::max(-127.0, rng_.Normal() * kUsualWeight)))));
    }
    const bool pool = layer.op == Op::kSumPool;
    const double usual = pool ? kUsualInput * products
                              : kUsualInput * kUsualWeight * std::sqrt(double(products));
    LayerTables tables;
    for (int c = 0; c < layer.Channels(); ++c) {
      tables.bias.push_back(static_cast<int32_t>(rng_.Normal() * usual / 8));
      const double mul = 127.0 * kernels::kMaxMultiplier / (3 * usual);
      tables.mul.push_back(layer.op == Op::kLinear ? 1000 : static_cast<int32_t>(mul));
      if (layer.shortcut != model::kNoLayer) tables.shortcut_mul.push_back(2048);
    }
    if (layer.op == Op::kLinear) tables.clamp = 1 << 20, tables.shift = 8;
    if (layer.shortcut != model::kNoLayer) tables.shortcut_clamp = 260'000, tables.shortcut_shift = 12;
    network_.sub_networks[0].tables.push_back(std::move(tables));
    network_.layers.push_back(std::move(layer));
    return static_cast<LayerIndex>(network_.layers.size()) - 1;
  }

  Rng rng_;
  Network network_;
};

}  // namespace

Result<Network> RandomResnet20(uint64_t seed) {
  Builder b(seed);
  LayerIndex last = b.Conv("stem", 0, kStem, 3, 1);
  for (int stage = 0; stage < kStages; ++stage) {
    for (int block = 0; block < kBlocks; ++block) {
      const std::string name = "stage" + std::to_string(stage + 1) + "/block" +
                               std::to_string(block + 1);
      const int channels = kStem << stage;
      const bool first = stage > 0 && block == 0;
      const int stride = first ? 2 : 1;
      const LayerIndex shortcut =
          first ? b.Conv(name + "/shortcut", last, channels, 1, stride) : last;
      const LayerIndex inner = b.Conv(name + "/conv1", last, channels, 3, stride);
      last = b.Conv(name + "/conv2", inner, channels, 3, 1, shortcut);
    }
  }
  b.Head(b.SumPool(last));
  return b.Take();
}

}  // namespace braid::bench
