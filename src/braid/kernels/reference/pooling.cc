#include "braid/kernels/reference/pooling.h"

#include <algorithm>

namespace braid::kernels::reference {
namespace {

// The value at (in_y, in_x, channel), 0 outside.
int32_t ValueAt(const WindowGeometry& g, const uint8_t* image, int in_y, int in_x, int channel) {
  if (in_y < 0 || in_y >= g.in_h || in_x < 0 || in_x >= g.in_w) return 0;
  return static_cast<int8_t>(image[(int64_t{in_y} * g.in_w + in_x) * g.channels + channel]);
}

// Folds the window at (y, x) of one channel with `fold(so_far, value)`.
template <typename Fold>
int32_t FoldWindow(const WindowGeometry& g, const uint8_t* image, int y, int x, int channel,
                   int32_t start, Fold fold) {
  int32_t result = start;
  for (int ky = 0; ky < g.kernel_h; ++ky) {
    for (int kx = 0; kx < g.kernel_w; ++kx) {
      result = fold(result, ValueAt(g, image, y * g.stride_h - g.pad_top + ky,
                                    x * g.stride_w - g.pad_left + kx, channel));
    }
  }
  return result;
}

}  // namespace

void MaxPool(const WindowGeometry& g, int n, const uint8_t* input, uint8_t* output) {
  for (int image = 0; image < n; ++image, input += g.InputElements()) {
    for (int y = 0; y < g.out_h; ++y) {
      for (int x = 0; x < g.out_w; ++x) {
        for (int c = 0; c < g.channels; ++c) {
          *output++ = static_cast<uint8_t>(FoldWindow(
              g, input, y, x, c, -128, [](int32_t a, int32_t b) { return std::max(a, b); }));
        }
      }
    }
  }
}

void SumPool(const WindowGeometry& g, int n, const uint8_t* input, int32_t* accumulators) {
  for (int image = 0; image < n; ++image, input += g.InputElements()) {
    for (int y = 0; y < g.out_h; ++y) {
      for (int x = 0; x < g.out_w; ++x, accumulators += PaddedChannels(g.channels)) {
        for (int c = 0; c < g.channels; ++c) {
          accumulators[c] =
              FoldWindow(g, input, y, x, c, 0, [](int32_t a, int32_t b) { return a + b; });
        }
      }
    }
  }
}

}  // namespace braid::kernels::reference
