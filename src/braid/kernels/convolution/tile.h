// Layout of packed weights, common to all instruction sets. Layer: kernels.
//
// A tile is a row of panels; a panel holds `lanes` output channels:
//   [lanes] s32 offsets, only where the source is kBiased: -128 * Σ w of the channel, mod 2^32;
//   [steps][lanes][4] s8 weights, where a step is four bytes of input.
// The bytes of the window in steps: each run of adjacent bytes (a row of taps where they touch, i.e.
// tap_stride_w == channels, else a tap) is padded to a multiple of four; the weights there are 0.
// Panels of 4 KiB and more keep a gap where their distance would be a multiple of 2 KiB.
// A step of a depthwise source is four rows of taps at one kx: steps run over kx, then over rows by
// fours; weights of rows past kernel_h are 0.
// The scalar interpreter keeps OHWI weights as they are.
#pragma once

#include <cstddef>
#include <cstdint>

#include "braid/kernels/convolution/shape.h"

namespace braid::kernels {

// The window of one source as runs of adjacent bytes.
struct Runs {
  int rows = 1;     // ky
  int per_row = 1;  // 1 where taps touch, else kernel_w
  int bytes = 0;    // of one run
  int steps() const { return (bytes + 3) / 4; }  // of one run
  int total_steps() const { return rows * per_row * steps(); }
};
Runs RunsOf(const SourceShape& source);
// Steps between rows that a depthwise source computes together.
inline constexpr int kDepthwiseRows = 4;

// Bytes from one panel of `lanes` channels to the next.
size_t PanelBytes(const SourceShape& source, int lanes);
// Bytes of offsets before a panel's weights: 0 or lanes * 4.
size_t PanelOffsetBytes(const SourceShape& source, int lanes);

}  // namespace braid::kernels
