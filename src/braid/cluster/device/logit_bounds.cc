#include "braid/cluster/device/logit_bounds.h"

#include <cstdlib>

#include "braid/model/accumulator_bounds.h"

namespace braid::cluster {

LogitBounds::LogitBounds(const model::Network& network) {
  for (size_t index = 0; index < network.layers.size(); ++index) {
    const model::Layer& head = network.layers[index];
    if (head.op != model::Op::kLinear) continue;
    const model::AccumulatorBounds products(network, head);
    auto& bounds = bounds_[static_cast<model::LayerIndex>(index)];
    for (int group = 0; group < network.groups; ++group) {
      bounds.emplace_back();
      for (int c = 0; c < head.Channels(); ++c) {
        bounds.back().push_back(products.Products(c, GroupSet::Single(group)));
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
