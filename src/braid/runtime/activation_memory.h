// What a plan's maps and sums take at once, beside the same plan with float32 maps. Layer: runtime.
#pragma once

#include <cstdint>

#include "braid/base/status.h"
#include "braid/runtime/execution.h"

namespace braid::runtime {

// Bytes of one arena, as the planner lays it out: maps with their rings by lifetime, 32-bit sums and
// wide values where they outlive their kernel, logits. `float_maps`: with four bytes for each value
// of a map and all else alike, since floats of wide values have as many bytes as s32.
struct ActivationMemory {
  int64_t integer_maps = 0;
  int64_t float_maps = 0;
};

// Errors as Plan::Make's.
Result<ActivationMemory> MeasureActivationMemory(const PreparedModel& model, const PlanSpec& spec);

}  // namespace braid::runtime
