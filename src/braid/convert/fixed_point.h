// The fixed-point arithmetic of gemmlowp, as TensorFlow Lite's affine scheme requantizes: a
// multiplier of 31 bits and a rounding shift. Layer: convert, internal. docs/numerics.md, eq. 16.
#pragma once

#include <cstdint>

namespace braid::convert {

struct FixedPoint {
  int32_t mantissa = 0;  // 2^30 .. 2^31-1, or 0
  int exponent = 0;      // the factor is mantissa * 2^(exponent-31)
};

// `factor` >= 0; factors below 2^-32 become 0.
FixedPoint ToFixedPoint(double factor);

// value * factor: shifted left where the exponent is positive, a doubling high product that rounds
// halves up (away from 0 for negative products it is ((a*b + 1 - 2^30) / 2^31) towards 0), then a
// right shift that rounds halves away from 0. Saturates like s32.
int32_t Multiply(int64_t value, FixedPoint factor);

}  // namespace braid::convert
