#include "braid/convert/sub_network_slice.h"

#include <algorithm>

#include "braid/model/layer_map.h"

namespace braid::convert {

std::vector<size_t> PresentChannels(const model::Layer& layer, GroupSet groups) {
  std::vector<size_t> present;
  size_t channel = 0;
  for (size_t g = 0; g < layer.group_channels.size(); ++g) {
    const bool here = !layer.Divided() || groups.Contains(static_cast<int>(g));
    for (int i = 0; i < layer.group_channels[g]; ++i, ++channel) {
      if (here) present.push_back(channel);
    }
  }
  return present;
}

namespace {

// The stored input channel that output `o` of `group` meets at input channel `i` of all; none: 0.
struct Stored {
  bool present = true;
  size_t channel = 0;
};
Stored StoredChannel(const model::Network& network, const model::Layer& layer, int group, size_t o,
                     size_t i) {
  if (layer.filter_channels == 0) return {true, i};
  const model::Layer& map = network.layers[static_cast<size_t>(layer.input)];
  const int block = (static_cast<int>(o) - layer.GroupOffset(group)) /
                    model::FilterBlocksOf(network, layer, group).outputs;
  const int first = map.GroupOffset(group) + block * layer.filter_channels;
  const int at = static_cast<int>(i) - first;
  return {at >= 0 && at < layer.filter_channels, static_cast<size_t>(std::max(at, 0))};
}

std::vector<int> GroupOfChannels(const model::Layer& layer) {
  std::vector<int> groups;
  for (size_t g = 0; g < layer.group_channels.size(); ++g) {
    groups.insert(groups.end(), static_cast<size_t>(layer.group_channels[g]), static_cast<int>(g));
  }
  return groups;
}

// Groups of an ONNX convolution, which all have as many outputs; 0 where that cannot be.
int64_t EvenFilterGroups(const model::Network& network, const model::Layer& layer,
                         GroupSet groups) {
  if (layer.filter_channels == 0) return 0;
  int64_t count = 0;
  int outputs = 0;
  for (const int group : groups) {
    const model::FilterBlocks blocks = model::FilterBlocksOf(network, layer, group);
    if (outputs != 0 && blocks.outputs != outputs) return 0;
    outputs = blocks.outputs;
    count += blocks.count;
  }
  return count;
}

}  // namespace

SlicedWeights SliceWeights(const model::Network& network, const model::Layer& layer,
                           GroupSet groups) {
  const model::WeightExtents extents = model::WeightExtentsOf(network, layer);
  const std::vector<size_t> outputs = PresentChannels(layer, groups);
  const std::vector<int> group_of = GroupOfChannels(layer);
  const int64_t filter_groups = EvenFilterGroups(network, layer, groups);
  std::vector<size_t> inputs;
  for (const model::InputBlock& block : model::InputBlocksOf(network, layer)) {
    if (block.divided && !groups.Contains(block.group)) continue;
    for (int i = 0; i < block.channels; ++i) {
      inputs.push_back(static_cast<size_t>(block.first_channel + i));
    }
  }
  const size_t columns =
      filter_groups > 0 ? static_cast<size_t>(layer.filter_channels) : inputs.size();
  const auto pixels = static_cast<size_t>(extents.kernel_h * extents.kernel_w);
  const auto stored = static_cast<size_t>(extents.inputs);
  SlicedWeights slice{.shape = {static_cast<int64_t>(outputs.size()),
                                static_cast<int64_t>(columns), extents.kernel_h, extents.kernel_w},
                      .values = {},
                      .filter_groups = std::max<int64_t>(filter_groups, 1)};
  slice.values.reserve(outputs.size() * columns * pixels);
  for (const size_t o : outputs) {
    for (size_t i = 0; i < columns; ++i) {
      const Stored from = filter_groups > 0
                              ? Stored{true, i}
                              : StoredChannel(network, layer, group_of[o], o, inputs[i]);
      for (size_t p = 0; p < pixels; ++p) {
        slice.values.push_back(
            from.present ? layer.weights[(o * pixels + p) * stored + from.channel] : int8_t{0});
      }
    }
  }
  return slice;
}

std::vector<int32_t> Pick(const std::vector<int32_t>& table, const std::vector<size_t>& channels) {
  std::vector<int32_t> picked;
  for (const size_t c : channels) picked.push_back(table[c]);
  return picked;
}

}  // namespace braid::convert
