// A network computed straight from its definition: whole maps, 64-bit sums, no kernel, no plan.
// The oracle for tests of the runtime. Layer: runtime, tests.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "braid/model/network.h"

namespace braid::runtime::testing {

// Logits of `head` for one image `pixels` [H,W,C] in sub-network `sub_network`, after the rescale.
// Aborts the test (BRAID_CHECK) when a value leaves s32, which Validate has excluded.
std::vector<int32_t> DirectLogits(const model::Network& network, int sub_network,
                                  model::LayerIndex head, std::span<const uint8_t> pixels);

// The same for `n` images, [n, classes].
std::vector<int32_t> DirectLogitsOfBatch(const model::Network& network, int sub_network,
                                         model::LayerIndex head, std::span<const uint8_t> pixels,
                                         int n);

}  // namespace braid::runtime::testing
