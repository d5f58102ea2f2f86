// Scalar convolution whose filters read few channels each: defines what every path computes.
// Layer: kernels.
#pragma once

#include <cstdint>

#include "braid/kernels/kernel_set.h"

namespace braid::kernels::reference {

// Contract: KernelSet.
void FilterSums(const FilterShape& shape, Range rows, const uint8_t* image, const int8_t* weights,
                int32_t* sums);

}  // namespace braid::kernels::reference
