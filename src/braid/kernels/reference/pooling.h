// Scalar maximum and sum over windows: define what every path computes. Layer: kernels.
#pragma once

#include <cstdint>

#include "braid/kernels/kernel_set.h"

namespace braid::kernels::reference {

// Contract: KernelSet.
void MaxPool(const PoolShape& shape, int64_t n, const uint8_t* input, uint8_t* output);
void SumPool(const PoolShape& shape, int64_t n, const uint8_t* input, int32_t* accumulators);

}  // namespace braid::kernels::reference
