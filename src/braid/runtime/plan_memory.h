// Where everything that a plan computes lies in the arena. Layer: runtime.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/runtime/execution.h"
#include "braid/runtime/map_layout.h"
#include "braid/runtime/prepared_network.h"
#include "braid/runtime/schedule.h"

namespace braid::runtime {

struct LayerMemory {
  // [groups of the network]; entry 0 where the layer is not divided; zero where absent.
  std::vector<MapMemory> maps;
  std::vector<ImageMemory> wire;  // exchanged own maps as they are sent
  std::vector<ImageMemory> wide;  // s32 where they outlive the kernel that makes them
  bool wide_of_one_image = false;
  ImageMemory logits;
  int map_last_step = kNever;   // maps are read until this step
  int wide_last_step = kNever;  // wide values are read until this step, kNever: gone at once
};

struct PlanMemory {
  std::vector<LayerMemory> layers;  // [layers of the network]
  int64_t arena_bytes = 0;
};

// `map_value_bytes`: of one value of a map. Other than 1 is for measuring only: kernels read bytes.
PlanMemory LayOutPlan(const PreparedNetwork& model, const PlanSpec& spec, const Schedule& schedule,
                      int map_value_bytes = 1);

}  // namespace braid::runtime
