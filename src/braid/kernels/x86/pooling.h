// Pools with 256-bit registers, eight channels at a time. Layer: kernels. Contract: KernelSet.
#pragma once

#include <cstdint>

#include "braid/kernels/kernel_set.h"

namespace braid::kernels::x86 {

void MaxPoolAvx2(const PoolShape& shape, int64_t n, const uint8_t* input, uint8_t* output);
void SumPoolAvx2(const PoolShape& shape, int64_t n, const uint8_t* input, int32_t* accumulators);

}  // namespace braid::kernels::x86
