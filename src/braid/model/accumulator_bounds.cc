#include "braid/model/accumulator_bounds.h"

#include <cstdlib>

#include "braid/model/layer_map.h"

namespace braid::model {

AccumulatorBounds::AccumulatorBounds(const Network& network, const Layer& layer)
    : groups_(static_cast<size_t>(network.groups)),
      sums_(static_cast<size_t>(layer.Channels()) * groups_, 0),
      whole_(static_cast<size_t>(layer.Channels()), 0) {
  const int64_t magnitude = MaxMagnitude(network.layers[static_cast<size_t>(layer.input)]);
  if (layer.op == Op::kSumPool || layer.filter_channels > 0) {
    // Each channel reads its own group only.
    const WeightExtents extents = layer.op == Op::kSumPool ? WeightExtents{}
                                                           : WeightExtentsOf(network, layer);
    const int64_t window = int64_t{layer.window.kernel_h} * layer.window.kernel_w;
    const int64_t row = window * extents.inputs;
    auto weight = layer.weights.begin();
    int channel = 0;
    for (int group = 0; group < network.groups; ++group) {
      for (int i = 0; i < layer.group_channels[static_cast<size_t>(group)]; ++i) {
        int64_t sum = layer.op == Op::kSumPool ? window : 0;
        for (int64_t w = 0; w < row; ++w) sum += std::abs(int{*weight++});
        sums_[Index(channel++, group)] = sum * magnitude;
      }
    }
    return;
  }
  const std::vector<InputBlock> blocks = InputBlocksOf(network, layer);
  const WeightExtents extents = WeightExtentsOf(network, layer);
  auto weight = layer.weights.begin();
  for (int channel = 0; channel < layer.Channels(); ++channel) {
    for (int64_t pixel = 0; pixel < extents.kernel_h * extents.kernel_w; ++pixel) {
      for (const InputBlock& block : blocks) {
        int64_t sum = 0;
        for (int i = 0; i < block.channels; ++i) sum += std::abs(int{*weight++});
        sum *= MaxMagnitude(network.layers[static_cast<size_t>(block.map)]);
        (block.divided ? sums_[Index(channel, block.group)]
                       : whole_[static_cast<size_t>(channel)]) += sum;
      }
    }
  }
}

int64_t AccumulatorBounds::Products(int channel, GroupSet groups) const {
  int64_t sum = whole_[static_cast<size_t>(channel)];
  for (const int group : groups) sum += sums_[Index(channel, group)];
  return sum;
}

}  // namespace braid::model
