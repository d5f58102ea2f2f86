// The loop nest that both x86 paths share; a path gives the innermost product. Layer: kernels.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "braid/kernels/kernel_set.h"
#include "braid/kernels/x86/tile.h"
#include "braid/kernels/x86/unfold.h"

namespace braid::kernels::x86 {

// One panel of weights and the column of accumulators that it feeds.
struct PanelColumn {
  const std::byte* panel = nullptr;
  int32_t* accumulators = nullptr;  // of the block's first pixel
  int64_t stride = 0;               // s32 elements between pixels
};

// Multiplies `pixels` patch rows with one or two panels; adds to the accumulators or starts them.
using MultiplyFn = void (*)(const uint8_t* patches, size_t depth4, int pixels,
                            std::span<const PanelColumn> columns, bool add);

// Unfolds block after block and hands each panel pair (of any output groups) to `multiply`.
// `flip`: see Unfold.
inline void ConvolveBlocks(const WindowGeometry& g, int n, const uint8_t* input,
                           std::span<const ConvTarget> targets, bool add, std::byte* scratch,
                           uint8_t flip, MultiplyFn multiply) {
  auto* patches = reinterpret_cast<uint8_t*>(scratch);
  const size_t depth4 = PaddedDepth(g);
  const size_t panel_bytes = PanelBytes(g);
  const int64_t pixels = n * g.OutputPixels();
  const int per_block = PixelsPerBlock(g);
  for (int64_t first = 0; first < pixels; first += per_block) {
    const int count = static_cast<int>(std::min<int64_t>(per_block, pixels - first));
    Unfold(g, input, first, count, flip, patches);
    std::array<PanelColumn, 2> pair;
    size_t waiting = 0;
    for (const ConvTarget& target : targets) {
      const int64_t stride = PaddedChannels(target.channels);
      for (size_t panel = 0; panel < PanelCount(target.channels); ++panel) {
        pair[waiting++] = {
            target.tile + panel * panel_bytes,
            target.accumulators + first * stride + static_cast<int64_t>(panel) * kLanes, stride};
        if (waiting < pair.size()) continue;
        multiply(patches, depth4, count, pair, add);
        waiting = 0;
      }
    }
    if (waiting != 0) multiply(patches, depth4, count, std::span(pair).first(waiting), add);
  }
}

}  // namespace braid::kernels::x86
