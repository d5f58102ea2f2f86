#include "braid/kernels/x86/tile.h"

#include <cstring>

#include "braid/kernels/x86/convolution.h"
#include "braid/kernels/x86/unfold.h"

namespace braid::kernels::x86 {

size_t TileBytes(const WindowGeometry& geometry, int out_channels) {
  return PanelCount(out_channels) * PanelBytes(geometry);
}

size_t ScratchBytes(const WindowGeometry& geometry) {
  return static_cast<size_t>(PixelsPerBlock(geometry)) * PaddedDepth(geometry) + kUnfoldSlackBytes;
}

void PackTile(const WindowGeometry& geometry, int out_channels, const int8_t* weights,
              int32_t input_zero, std::byte* tile) {
  std::memset(tile, 0, TileBytes(geometry, out_channels));
  const size_t depth = static_cast<size_t>(geometry.Depth());
  for (int o = 0; o < out_channels; ++o) {
    const auto lane = static_cast<size_t>(o % kLanes);
    std::byte* panel = tile + static_cast<size_t>(o / kLanes) * PanelBytes(geometry);
    const int8_t* row = weights + static_cast<size_t>(o) * depth;
    int32_t sum = 0;
    for (size_t k = 0; k < depth; ++k) {
      sum += row[k];
      panel[kPanelOffsetBytes + (k / 4 * kLanes + lane) * 4 + k % 4] =
          static_cast<std::byte>(row[k]);
    }
    // Modulo 2^32, as the sum that it corrects.
    const uint32_t offset = 0u - static_cast<uint32_t>(input_zero) * static_cast<uint32_t>(sum);
    std::memcpy(panel + lane * sizeof(offset), &offset, sizeof(offset));
  }
}

void PackTileAvx2(const WindowGeometry& geometry, int out_channels, const int8_t* weights,
                  std::byte* tile) {
  PackTile(geometry, out_channels, weights, 0, tile);
}

void PackTileAvx512Vnni(const WindowGeometry& geometry, int out_channels, const int8_t* weights,
                        std::byte* tile) {
  PackTile(geometry, out_channels, weights, geometry.input_kind == ElementKind::kS8 ? 128 : 0,
           tile);
}

}  // namespace braid::kernels::x86
