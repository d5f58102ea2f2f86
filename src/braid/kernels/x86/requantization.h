// The epilogue with 256-bit registers. Layer: kernels. Contract: KernelSet::requantize.
#pragma once

#include <cstdint>

#include "braid/kernels/requantization.h"

namespace braid::kernels::x86 {

void RequantizeAvx2(const Epilogue& epilogue, int64_t pixels, int32_t* accumulators,
                    const int32_t* shortcut, uint8_t* output);

}  // namespace braid::kernels::x86
