// Seeded shapes and bytes for the tests of kernels. Layer: kernels (tests only).
#pragma once

#include <cstdint>
#include <vector>

#include "braid/base/rng.h"
#include "braid/kernels/geometry.h"

namespace braid::kernels::testing {

// Sizes at which blocked code goes wrong: 1, powers of two and one either side, primes.
inline int RandomSize(Rng& rng, int at_most) {
  static constexpr int kSizes[] = {1,  1,  2,  3,  4,  5,  7,  8,  9,  11, 13,
                                   15, 16, 17, 31, 32, 33, 37, 63, 64, 65};
  int count = 0;
  while (count < static_cast<int>(std::size(kSizes)) && kSizes[count] <= at_most) ++count;
  return kSizes[rng.Below(static_cast<uint64_t>(count))];
}

// A window that leaves at least one output pixel.
inline WindowGeometry RandomWindow(Rng& rng, ElementKind kind, int max_size, int max_channels) {
  WindowGeometry g;
  g.input_kind = kind;
  g.channels = RandomSize(rng, max_channels);
  for (;;) {
    g.in_h = RandomSize(rng, max_size);
    g.in_w = RandomSize(rng, max_size);
    g.kernel_h = RandomSize(rng, 7);
    g.kernel_w = RandomSize(rng, 7);
    g.stride_h = static_cast<int>(rng.Between(1, 3));
    g.stride_w = static_cast<int>(rng.Between(1, 3));
    g.pad_top = static_cast<int>(rng.Between(0, g.kernel_h));
    g.pad_left = static_cast<int>(rng.Between(0, g.kernel_w));
    const int pad_bottom = static_cast<int>(rng.Between(0, g.kernel_h));
    const int pad_right = static_cast<int>(rng.Between(0, g.kernel_w));
    const int free_h = g.in_h + g.pad_top + pad_bottom - g.kernel_h;
    const int free_w = g.in_w + g.pad_left + pad_right - g.kernel_w;
    if (free_h < 0 || free_w < 0) continue;
    g.out_h = free_h / g.stride_h + 1;
    g.out_w = free_w / g.stride_w + 1;
    return g;
  }
}

// Values of `kind` (s8 with -128, as pixels have it); some cases hold extremes only. `slack` bytes
// of noise follow, so that a result that depends on them is seen.
inline std::vector<uint8_t> RandomBytes(Rng& rng, ElementKind kind, int64_t count, size_t slack) {
  const bool extremes = rng.Below(4) == 0;
  std::vector<uint8_t> bytes(static_cast<size_t>(count) + slack);
  for (uint8_t& byte : bytes) {
    const bool high = rng.Below(2) == 0;
    const int low_value = kind == ElementKind::kU7 ? 0 : -128;
    byte = static_cast<uint8_t>(extremes ? (high ? 127 : low_value) : rng.Between(low_value, 127));
  }
  for (size_t i = static_cast<size_t>(count); i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(rng.Next());
  }
  return bytes;
}

inline std::vector<int8_t> RandomWeights(Rng& rng, int64_t count) {
  const bool extremes = rng.Below(4) == 0;
  std::vector<int8_t> weights(static_cast<size_t>(count));
  for (int8_t& w : weights) {
    w = static_cast<int8_t>(extremes ? (rng.Below(2) == 0 ? 127 : -127) : rng.Between(-127, 127));
  }
  return weights;
}

}  // namespace braid::kernels::testing
