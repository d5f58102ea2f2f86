// Where everything that a plan computes lies in the arena. Layer: runtime.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/runtime/execution.h"
#include "braid/runtime/execution_plan.h"
#include "braid/runtime/prepared_network.h"
#include "braid/runtime/schedule.h"

namespace braid::runtime {

struct LayerMemory {
  // [groups of the network]; entry 0 where the layer is not divided; zero where absent.
  std::vector<ImageMemory> maps;
  std::vector<ImageMemory> accumulators;
  ImageMemory logits;
  int images_per_block = 1;
  int map_last_step = kNever;   // maps are read until this step
  int wide_last_step = kNever;  // accumulators are read until this step, kNever: gone at once
};

struct PlanMemory {
  std::vector<LayerMemory> layers;  // [layers of the network]
  int64_t scratch_offset = 0;
  int64_t arena_bytes = 0;
};

PlanMemory LayOutPlan(const PreparedNetwork& model, const PlanSpec& spec, const Schedule& schedule);

}  // namespace braid::runtime
