#include "braid/model/accumulator_bounds.h"

#include <cstdlib>

#include "braid/model/layer_map.h"

namespace braid::model {

AccumulatorBounds::AccumulatorBounds(const Network& network, const Layer& layer)
    : input_divided_(network.layers[static_cast<size_t>(layer.input)].Divided()),
      groups_(static_cast<size_t>(input_divided_ ? network.groups : 1)),
      sums_(static_cast<size_t>(layer.Channels()) * groups_, 0) {
  const Layer& input = network.layers[static_cast<size_t>(layer.input)];
  const int64_t magnitude = MaxMagnitude(input);
  if (layer.op == Op::kSumPool) {  // each channel sums its own window
    const int64_t window = int64_t{layer.window.kernel_h} * layer.window.kernel_w;
    int channel = 0;
    for (int group = 0; group < network.groups; ++group) {
      for (int i = 0; i < layer.group_channels[static_cast<size_t>(group)]; ++i) {
        sums_[Index(channel++, group)] = window * magnitude;
      }
    }
    return;
  }
  const WeightExtents extents = WeightExtentsOf(network, layer);
  auto weight = layer.weights.begin();
  for (int channel = 0; channel < layer.Channels(); ++channel) {
    for (int64_t pixel = 0; pixel < extents.kernel_h * extents.kernel_w; ++pixel) {
      for (size_t group = 0; group < input.group_channels.size(); ++group) {
        int64_t sum = 0;
        for (int i = 0; i < input.group_channels[group]; ++i) sum += std::abs(int{*weight++});
        sums_[Index(channel, static_cast<int>(group))] += sum * magnitude;
      }
    }
  }
}

int64_t AccumulatorBounds::Products(int channel, GroupSet groups) const {
  if (!input_divided_) return sums_[static_cast<size_t>(channel)];
  int64_t sum = 0;
  for (const int group : groups) sum += sums_[Index(channel, group)];
  return sum;
}

}  // namespace braid::model
