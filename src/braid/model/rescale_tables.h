// Multipliers and shifts of docs/numerics.md, section 4, for given real factors. Layer: model.
// Makers of models use them (training, import); a device reads the result.
#pragma once

#include <cstdint>
#include <vector>

namespace braid::model {

struct RescaleTables {
  int32_t clamp = 1;
  int32_t shift = 1;
  std::vector<int32_t> mul;
};

// The finest shift for which eq. 9 holds for `factors`, with a clamp of `range` units. Both are cut to
// what s32 can hold: Validate has the last word.
RescaleTables MakeRescale(const std::vector<double>& factors, double range);

}  // namespace braid::model
