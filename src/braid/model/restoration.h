// Networks that restore images: they answer every pixel with what is added to it. Layer: model.
// Arithmetic: docs/numerics.md, section 4.
#pragma once

#include <algorithm>
#include <cstdint>

#include "braid/base/status.h"
#include "braid/model/network.h"

namespace braid::model {

// A restoring head's logits are in 1/16 of a gray level.
inline constexpr int kAddedShift = 4;

// Equation 20.
constexpr uint8_t RestoredPixel(uint8_t pixel, int32_t logit) {
  // First to a range in which the rounding cannot overflow; far beyond any pixel.
  const int32_t added =
      (std::clamp(logit, -65536, 65536) + (1 << (kAddedShift - 1))) >> kAddedShift;
  return static_cast<uint8_t>(std::clamp(pixel + added, 0, 255));
}

// How far from a pixel the last head of `network` looks: pixels further away do not change its
// answer there. `network` has passed Validate. INVALID_ARGUMENT where it does not answer every
// pixel of an image of one channel with one value.
Result<int> RestorationRadius(const Network& network);

// `network` for images of another size: the same weights and tables, other map sizes and costs, no
// test vectors. INVALID_ARGUMENT where a head covers a whole map, whose size its weights fix, or a
// window does not fit.
Result<Network> WithInputSize(const Network& network, int height, int width);

}  // namespace braid::model
