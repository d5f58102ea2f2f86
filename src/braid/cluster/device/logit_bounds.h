// The largest partial sums that a head can leave, so that a received one can be judged. Layer:
// cluster/device. The loader proves that their total stays inside s32 (docs/numerics.md).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "braid/base/status.h"
#include "braid/model/network.h"
#include "braid/tensor/group_set.h"

namespace braid::cluster {

class LogitBounds {
 public:
  explicit LogitBounds(const model::Network& network);

  // Decodes `payload`, s32 little-endian [images, classes]. INVALID_ARGUMENT when the size is
  // another or a sum is larger than `local` groups of the head's input can make it.
  Result<std::vector<int32_t>> Decode(model::LayerIndex head, GroupSet local, int images,
                                      std::span<const uint8_t> payload) const;

 private:
  // By head; [groups][classes] sum of |w| * largest input.
  std::map<model::LayerIndex, std::vector<std::vector<int64_t>>> bounds_;
};

std::vector<uint8_t> EncodeLogits(std::span<const int32_t> sums);

}  // namespace braid::cluster
