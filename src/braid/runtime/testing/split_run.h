// Drives one plan per device by hand and carries maps between them in a random order: the smallest
// possible cluster. Layer: runtime, tests.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "braid/kernels/path.h"
#include "braid/model/network.h"
#include "braid/runtime/execution.h"

namespace braid::runtime::testing {

// One device: its model share, its plan, its execution.
struct SplitDevice {
  std::unique_ptr<PreparedModel> model;
  std::unique_ptr<Plan> plan;
  std::unique_ptr<Execution> execution;
};

// A device for `spec` that carries exactly spec.local. Aborts the test when something is refused.
SplitDevice MakeDevice(const model::Network& network, const PlanSpec& spec, kernels::Path path);

// Runs `pixels` (n images) over the devices, whose local groups make up one sub-network, to their
// head; exits are passed without looking. `seed` decides who runs next and which maps come early,
// late, one by one. Returns the finished logits, [n, classes].
std::vector<int32_t> RunSplit(const model::Network& network, std::span<SplitDevice> devices,
                              std::span<const uint8_t> pixels, int n, uint64_t seed);

}  // namespace braid::runtime::testing
