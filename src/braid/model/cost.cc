#include "braid/model/cost.h"

#include <vector>

#include "braid/model/layer_map.h"

namespace braid::model {
namespace {

// Products [output channel, input channel] of one layer where `local` groups are computed as part
// of the sub-network of `groups`.
int64_t ChannelPairs(const Network& network, const Layer& layer, GroupSet groups, GroupSet local) {
  // A head sums over its inputs: each device takes the channels that it computed itself.
  if (layer.op == Op::kLinear) {
    return int64_t{layer.Channels()} * InputChannelsOf(network, layer, local);
  }
  if (layer.filter_channels > 0) return int64_t{ChannelsOf(layer, local)} * layer.filter_channels;
  int64_t pairs = 0;
  for (const LayerIndex input : layer.Inputs()) {
    const Layer& map = network.layers[static_cast<size_t>(input)];
    if (layer.dense || !map.Divided()) {
      pairs += int64_t{ChannelsOf(layer, local)} * ChannelsOf(map, groups);
      continue;
    }
    for (const int group : local) {
      const GroupSet own = GroupSet::Single(group);
      pairs += int64_t{ChannelsOf(layer, own)} * ChannelsOf(map, own);
    }
  }
  return pairs;
}

bool HasWeights(const Layer& layer) { return layer.op == Op::kConv || layer.op == Op::kLinear; }

}  // namespace

int64_t LayerWeights(const Network& network, const Layer& layer, GroupSet groups, GroupSet local) {
  if (!HasWeights(layer)) return 0;
  const WeightExtents extents = WeightExtentsOf(network, layer);
  return ChannelPairs(network, layer, groups, local) * extents.kernel_h * extents.kernel_w;
}

std::vector<bool> ExchangedLayers(const Network& network, const std::vector<bool>& needed) {
  std::vector<bool> exchanged(network.layers.size(), false);
  for (size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    // Pools and grouped convolutions keep to their group, and heads exchange partial sums instead.
    if (!needed[i] || layer.op != Op::kConv || !layer.dense) continue;
    for (const LayerIndex input : layer.Inputs()) {
      const auto at = static_cast<size_t>(input);
      exchanged[at] = network.layers[at].Divided();
    }
  }
  return exchanged;
}

Cost LocalCost(const Network& network, GroupSet groups, GroupSet local, LayerIndex head) {
  const std::vector<bool> needed = NeededLayers(network, head);
  Cost cost;
  for (size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    if (!needed[i] || !HasWeights(layer)) continue;
    const int64_t weights = LayerWeights(network, layer, groups, local);
    cost.weight_bytes += weights;
    cost.macs += weights * layer.out_h * layer.out_w;
  }
  return cost;
}

Cost SubNetworkCost(const Network& network, GroupSet groups, LayerIndex head) {
  return LocalCost(network, groups, groups, head);
}

Cost PointCost(const Network& network, const OperatingPoint& point) {
  Cost cost;
  for (const int term : point.terms) {
    const GroupSet groups = network.sub_networks[static_cast<size_t>(term)].groups;
    cost = cost + SubNetworkCost(network, groups, point.head);
  }
  return cost;
}

int64_t ShareWeightBytes(const Network& network, GroupSet share) {
  const GroupSet all = GroupSet::First(network.groups);
  int64_t bytes = 0;
  for (const Layer& layer : network.layers) {
    if (!HasWeights(layer)) continue;
    bytes += LayerWeights(network, layer, all, layer.op == Op::kLinear ? all : share);
  }
  return bytes;
}

int64_t ExchangeBytes(const Network& network, GroupSet groups, GroupSet local, LayerIndex head) {
  if (local == groups) return 0;
  const std::vector<bool> needed = NeededLayers(network, head);
  const std::vector<bool> exchanged = ExchangedLayers(network, needed);
  int64_t bytes = 0;
  for (size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    if (exchanged[i]) bytes += MapShapeOf(layer, local).Elements();
  }
  return bytes;
}

}  // namespace braid::model
