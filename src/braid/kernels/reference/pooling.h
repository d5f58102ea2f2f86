// Scalar maximum and sum over windows: define what every path computes. Layer: kernels.
#pragma once

#include <cstdint>

#include "braid/kernels/geometry.h"

namespace braid::kernels::reference {

// Positions outside of the map count as the integer 0, for both operators and both kinds.
void MaxPool(const WindowGeometry& geometry, int n, const uint8_t* input, uint8_t* output);
void SumPool(const WindowGeometry& geometry, int n, const uint8_t* input, int32_t* accumulators);

}  // namespace braid::kernels::reference
