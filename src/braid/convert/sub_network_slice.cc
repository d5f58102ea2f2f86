#include "braid/convert/sub_network_slice.h"

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

SlicedWeights SliceWeights(const model::Network& network, const model::Layer& layer,
                           GroupSet groups) {
  const model::Layer& source = network.layers[static_cast<size_t>(layer.input)];
  const model::WeightExtents extents = model::WeightExtentsOf(network, layer);
  const std::vector<size_t> outputs = PresentChannels(layer, groups);
  const std::vector<size_t> inputs = PresentChannels(source, groups);
  const auto pixels = static_cast<size_t>(extents.kernel_h * extents.kernel_w);
  const auto stored = static_cast<size_t>(extents.inputs);
  SlicedWeights slice{.shape = {static_cast<int64_t>(outputs.size()),
                                static_cast<int64_t>(inputs.size()), extents.kernel_h,
                                extents.kernel_w},
                      .values = {}};
  slice.values.reserve(outputs.size() * inputs.size() * pixels);
  for (const size_t o : outputs) {
    for (const size_t i : inputs) {
      for (size_t p = 0; p < pixels; ++p) {
        slice.values.push_back(layer.weights[(o * pixels + p) * stored + i]);
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
