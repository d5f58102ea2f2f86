// What turns s32 accumulators into u7 or s8 bytes, as tables. Layer: kernels.
// Derivation: docs/numerics.md, section 3.
#pragma once

#include <cstdint>

#include "braid/tensor/element_kind.h"

namespace braid::kernels {

// The multiplier is an integer in units of 2^-24, so that the result is the top byte of a 32-bit
// product: no wider arithmetic is needed on any processor.
inline constexpr int kRequantizationShift = 24;
inline constexpr int32_t kMaxMultiplier = int32_t{1} << 24;
inline constexpr int32_t kBound = 127;

// The largest magnitude h for which (h*m + 2^23) >> 24 does not exceed 127, m = |mul| in 1..2^24:
//   h = floor((127*2^24 + floor(m/2)) / m).
// No overflow: h*m + 2^23 <= 127*2^24 + floor(m/2) + 2^23 <= 2^31, with equality only if m = 2^24
// and m divides 127*2^24 + 2^23, which it does not; hence < 2^31.
// Both bounds are reached: h*m > 127*2^24 + floor(m/2) - m >= 127*2^24 - 2^23 - 1, so h gives 127,
// and -h*m + 2^23 >= -127*2^24, so -h gives -127. The test walks through every m.
// mul = 0 gives 0: the clamp then makes the value 0 as well.
constexpr int32_t ClampFor(int32_t mul) {
  const int32_t m = mul < 0 ? -mul : mul;
  return m == 0 ? 0 : (kBound * kMaxMultiplier + m / 2) / m;
}

// The interval to which a value is clamped before it meets `mul`. ReLU: sign(mul)*value lies in
// [0, h], so a negative multiplier keeps negative values.
struct ClampInterval {
  int32_t low = 0;
  int32_t high = 0;
};
constexpr ClampInterval ClampIntervalFor(int32_t mul, bool relu) {
  const int32_t h = ClampFor(mul);
  if (!relu) return {-h, h};
  return mul < 0 ? ClampInterval{-h, 0} : ClampInterval{0, h};
}

// The epilogue of one output group in one sub-network. Arrays hold PaddedChannels(channels)
// entries (the padding is 0) and belong to the caller.
//   v = acc + bias + r
//   y = (clamp(v, low, high) * mul + 2^23) >> 24
// where r is 0, or from the shortcut's wide value u:
//   r = (clamp(u, ±shortcut_clamp) * shortcut_mul + 2^(shortcut_shift-1)) >> shortcut_shift.
// The loader has proven that no sum and no product leaves s32.
struct Epilogue {
  int channels = 0;
  const int32_t* bias = nullptr;
  const int32_t* mul = nullptr;
  const int32_t* low = nullptr;
  const int32_t* high = nullptr;
  const int32_t* shortcut_mul = nullptr;  // nullptr: no shortcut
  int32_t shortcut_clamp = 0;
  int32_t shortcut_shift = 1;
  // Write v back over the accumulators: a later layer's shortcut reads it.
  bool keep_wide = false;
  // Added to each result: 128 where the map is kBiased (convolution/shape.h).
  uint8_t output_offset = 0;
};

// A head's rescale to the step that all sub-networks share:
//   y = (clamp(acc + bias, ±clamp) * mul + 2^(shift-1)) >> shift, per class; shift in 1..30.
// The loader has proven clamp*|mul| + 2^(shift-1) < 2^31. Arrays hold `classes` entries.
struct LogitsRescale {
  int classes = 0;
  const int32_t* bias = nullptr;
  const int32_t* mul = nullptr;
  int32_t clamp = 0;
  int32_t shift = 1;
};

}  // namespace braid::kernels
