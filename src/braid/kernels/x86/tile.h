// Layout of packed weights and of the patch buffer on x86-64; see convolution.h. Layer: kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "braid/kernels/geometry.h"

namespace braid::kernels::x86 {

// Bytes of one patch row and of one channel's weights.
inline size_t PaddedDepth(const WindowGeometry& geometry) {
  return (static_cast<size_t>(geometry.Depth()) + 3) / 4 * 4;
}

inline constexpr size_t kPanelOffsetBytes = kLanes * sizeof(int32_t);
inline size_t PanelBytes(const WindowGeometry& geometry) {
  return kPanelOffsetBytes + PaddedDepth(geometry) * kLanes;
}
inline size_t PanelCount(int out_channels) {
  return static_cast<size_t>(PaddedChannels(out_channels) / kLanes);
}

// Packs with offsets of -input_zero * Σw per channel: input_zero is what unfolding adds to bytes.
void PackTile(const WindowGeometry& geometry, int out_channels, const int8_t* weights,
              int32_t input_zero, std::byte* tile);

// Pixels that are unfolded at a time. Half of the smallest L1 data cache in use (32 KiB) for
// patches leaves the other half for a panel of weights; a multiple of every row block.
inline constexpr size_t kPatchBudgetBytes = 16 * 1024;
inline constexpr int kPixelStep = 8;
inline int PixelsPerBlock(const WindowGeometry& geometry) {
  const size_t fits = kPatchBudgetBytes / (PaddedDepth(geometry) + 1);
  const int pixels = static_cast<int>(fits) / kPixelStep * kPixelStep;
  return pixels < kPixelStep ? kPixelStep : pixels;
}

}  // namespace braid::kernels::x86
