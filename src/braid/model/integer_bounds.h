// The bounds that keep every step of the integer arithmetic inside s32. The exporter obeys them,
// the loader proves them, the kernels rely on them. Layer: model. Derivation: docs/numerics.md.
#pragma once

#include <cstdint>
#include <limits>

namespace braid::model {

inline constexpr int64_t kMaxS32 = std::numeric_limits<int32_t>::max();

// Requantization: y = (clamp(a) * mul + 2^23) >> 24 (numerics.md, eq. 4).
inline constexpr int32_t kMaxMul = 1 << 24;
inline constexpr int kMaxQuantized = 127;  // top of u7, both ends of s8
inline constexpr int kMaxPixel = 128;      // |pixel - 128|

// A rescale r = (clamp(u, +-clamp) * mul + 2^(shift-1)) >> shift of a wide value (eq. 8).
inline constexpr int kMinRescaleShift = 1;
inline constexpr int kMaxRescaleShift = 30;

// clamp * |mul| + 2^(shift-1) < 2^31: no 32-bit step of the rescale overflows (eq. 9). clamp >= 0.
constexpr bool RescaleFits(int32_t clamp, int32_t mul, int shift) {
  const int64_t magnitude = mul < 0 ? -int64_t{mul} : int64_t{mul};
  return clamp * magnitude + (int64_t{1} << (shift - 1)) <= kMaxS32;
}

// The largest |r| of a rescale that fits (eq. 10).
constexpr int64_t RescaleBound(int32_t clamp, int32_t mul, int shift) {
  const int64_t magnitude = mul < 0 ? -int64_t{mul} : int64_t{mul};
  return (clamp * magnitude + (int64_t{1} << (shift - 1))) >> shift;
}

}  // namespace braid::model
