#include "braid/cluster/device/logit_bounds.h"

#include <cstdlib>

#include "braid/model/layer_map.h"

namespace braid::cluster {

LogitBounds::LogitBounds(const model::Network& network) {
  for (size_t index = 0; index < network.layers.size(); ++index) {
    const model::Layer& head = network.layers[index];
    if (head.op != model::Op::kLinear) continue;
    const model::Layer& input = network.layers[static_cast<size_t>(head.input)];
    const size_t channels = static_cast<size_t>(input.Channels());
    const size_t classes = static_cast<size_t>(head.Channels());
    // Channel -> group; a map that is not divided counts for every group.
    std::vector<int> group_of(channels, -1);
    if (input.Divided()) {
      size_t channel = 0;
      for (size_t group = 0; group < input.group_channels.size(); ++group) {
        for (int i = 0; i < input.group_channels[group]; ++i) {
          group_of[channel++] = static_cast<int>(group);
        }
      }
    }
    auto& bounds = bounds_[static_cast<model::LayerIndex>(index)];
    bounds.assign(static_cast<size_t>(network.groups), std::vector<int64_t>(classes, 0));
    const int64_t largest = model::MaxMagnitude(input);
    const size_t row = head.weights.size() / classes;
    for (size_t c = 0; c < classes; ++c) {
      for (size_t i = 0; i < row; ++i) {
        const int64_t share = largest * std::abs(head.weights[c * row + i]);
        const int group = group_of[i % channels];
        for (size_t g = 0; g < bounds.size(); ++g) {
          if (group < 0 || static_cast<size_t>(group) == g) bounds[g][c] += share;
        }
      }
    }
  }
}

Result<std::vector<int32_t>> LogitBounds::Decode(model::LayerIndex head, GroupSet local, int images,
                                                 std::span<const uint8_t> payload) const {
  const auto& bounds = bounds_.at(head);
  const size_t classes = bounds.front().size();
  if (payload.size() != static_cast<size_t>(images) * classes * sizeof(int32_t)) {
    return InvalidArgument("logits: not the size of the images");
  }
  std::vector<int64_t> limit(classes, 0);
  for (const int group : local) {
    for (size_t c = 0; c < classes; ++c) limit[c] += bounds[static_cast<size_t>(group)][c];
  }
  std::vector<int32_t> sums(static_cast<size_t>(images) * classes);
  for (size_t i = 0; i < sums.size(); ++i) {
    uint32_t word = 0;
    for (size_t b = 0; b < 4; ++b) word |= uint32_t{payload[4 * i + b]} << (8 * b);
    sums[i] = static_cast<int32_t>(word);
    if (std::abs(int64_t{sums[i]}) > limit[i % classes]) {
      return InvalidArgument("logits: a sum that the weights cannot give");
    }
  }
  return sums;
}

std::vector<uint8_t> EncodeLogits(std::span<const int32_t> sums) {
  std::vector<uint8_t> bytes;
  bytes.reserve(sums.size() * sizeof(int32_t));
  for (const int32_t sum : sums) {
    for (int b = 0; b < 4; ++b) {
      bytes.push_back(static_cast<uint8_t>(static_cast<uint32_t>(sum) >> (8 * b)));
    }
  }
  return bytes;
}

}  // namespace braid::cluster
