// Networks to time: read from a file, or made with random weights. Layer: bench.
#pragma once

#include <cstdint>
#include <string>

#include "braid/base/status.h"
#include "braid/model/network.h"

namespace braid::bench {

// The ResNet-20 of He et al. (CVPR 2016, section 4.2) for 32x32x3: a stem, three stages of three
// residual blocks with 16, 32 and 64 channels, projections where a stage begins, a sum pool and a
// head. One channel group; seeded weights and tables that keep values within their range, so that
// every layer has work to do. Valid.
Result<model::Network> RandomResnet20(uint64_t seed);

}  // namespace braid::bench
