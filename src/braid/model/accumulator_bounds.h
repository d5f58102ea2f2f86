// How large the sums of a layer's products can become, from its weights. Layer: model. The loader
// proves with it that no accumulator leaves s32 (docs/numerics.md, eq. 12); a device checks with it
// the partial sums that a peer sends.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/model/network.h"
#include "braid/tensor/group_set.h"

namespace braid::model {

// For a kConv, kSumPool or kLinear of a network whose layers are valid. Weights are summed once, in
// the constructor; sub-networks then only add up groups.
class AccumulatorBounds {
 public:
  AccumulatorBounds(const Network& network, const Layer& layer);

  // The largest magnitude that the products of output channel `channel` with the input channels of
  // `groups` can add up to, in any order and over any part of them; without bias and shortcut.
  // Inputs that are not divided count whole.
  int64_t Products(int channel, GroupSet groups) const;

 private:
  size_t Index(int channel, int group) const {
    return static_cast<size_t>(channel) * groups_ + static_cast<size_t>(group);
  }

  size_t groups_;              // of input channels
  std::vector<int64_t> sums_;  // [output channel, group of input channels]
  std::vector<int64_t> whole_;  // [output channel] from inputs that are not divided
};

}  // namespace braid::model
