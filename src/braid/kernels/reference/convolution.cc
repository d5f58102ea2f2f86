#include "braid/kernels/reference/convolution.h"

#include <cstring>

namespace braid::kernels::reference {
namespace {

// A u7 byte is at most 127, so reading it as signed gives the same integer.
int32_t SignedByte(uint8_t byte) { return static_cast<int8_t>(byte); }

int32_t DotAt(const WindowGeometry& g, const uint8_t* image, const int8_t* filter, int y, int x) {
  int32_t sum = 0;
  for (int ky = 0; ky < g.kernel_h; ++ky) {
    const int in_y = y * g.stride_h - g.pad_top + ky;
    if (in_y < 0 || in_y >= g.in_h) continue;
    for (int kx = 0; kx < g.kernel_w; ++kx) {
      const int in_x = x * g.stride_w - g.pad_left + kx;
      if (in_x < 0 || in_x >= g.in_w) continue;
      const uint8_t* pixel = image + (int64_t{in_y} * g.in_w + in_x) * g.channels;
      const int8_t* weights = filter + (int64_t{ky} * g.kernel_w + kx) * g.channels;
      for (int i = 0; i < g.channels; ++i) sum += SignedByte(pixel[i]) * weights[i];
    }
  }
  return sum;
}

}  // namespace

size_t TileBytes(const WindowGeometry& geometry, int out_channels) {
  return static_cast<size_t>(geometry.Depth() * out_channels);
}

void PackTile(const WindowGeometry& geometry, int out_channels, const int8_t* weights,
              std::byte* tile) {
  const size_t bytes = TileBytes(geometry, out_channels);
  if (bytes != 0) std::memcpy(tile, weights, bytes);
}

size_t ScratchBytes(const WindowGeometry& /*geometry*/) { return 0; }

void Convolve(const WindowGeometry& g, int n, const uint8_t* input,
              std::span<const ConvTarget> targets, bool add, std::byte* /*scratch*/) {
  for (const ConvTarget& target : targets) {
    const auto* weights = reinterpret_cast<const int8_t*>(target.tile);
    int32_t* acc = target.accumulators;
    for (int image = 0; image < n; ++image) {
      const uint8_t* map = input + image * g.InputElements();
      for (int y = 0; y < g.out_h; ++y) {
        for (int x = 0; x < g.out_w; ++x) {
          for (int o = 0; o < target.channels; ++o) {
            const int32_t dot = DotAt(g, map, weights + o * g.Depth(), y, x);
            acc[o] = add ? acc[o] + dot : dot;
          }
          acc += PaddedChannels(target.channels);
        }
      }
    }
  }
}

}  // namespace braid::kernels::reference
