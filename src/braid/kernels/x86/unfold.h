// Unfolds windows of a map into rows of a patch buffer. Layer: kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "braid/kernels/geometry.h"

namespace braid::kernels::x86 {

// Bytes that may be written past the end of a row (the next row, or slack at the end, takes them).
inline constexpr size_t kUnfoldSlackBytes = 32;

// Rows for output pixels [first, first + count) of the batch, counted over [n,out_h,out_w]:
// `patches` [count, PaddedDepth], order (ky, kx, channel), then slack. Every byte is XORed with
// `flip` (0x80 turns s8 into s8 + 128); positions outside of the map hold 0 ^ flip. Bytes between
// Depth and PaddedDepth hold anything. `input` needs kReadSlackBytes past its end.
void Unfold(const WindowGeometry& geometry, const uint8_t* input, int64_t first, int count,
            uint8_t flip, uint8_t* patches);

}  // namespace braid::kernels::x86
