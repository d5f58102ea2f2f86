// One sub-network's own channels and weights, as ONNX wants them. Layer: convert, internal.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/model/network.h"
#include "braid/tensor/group_set.h"

namespace braid::convert {

// Indices of the channels of `layer` that belong to `groups`; all of them where it is not divided.
std::vector<size_t> PresentChannels(const model::Layer& layer, GroupSet groups);

// Weights between present channels, [outputs, inputs, kernel_h, kernel_w]; the inputs of several maps
// follow each other. Filters of few channels stay as they are, as `filter_groups` groups of a grouped
// convolution, where all channel groups have as many outputs to a filter block; else they get zeros.
struct SlicedWeights {
  std::vector<int64_t> shape;
  std::vector<int8_t> values;
  int64_t filter_groups = 1;
};
SlicedWeights SliceWeights(const model::Network& network, const model::Layer& layer,
                           GroupSet groups);

// The entries of a per-channel table at `channels`.
std::vector<int32_t> Pick(const std::vector<int32_t>& table, const std::vector<size_t>& channels);

}  // namespace braid::convert
