// What one generated kernel computes, as data: convolution and matrix product in one form.
// Layer: kernels. Theory and name grammar: docs/kernels.md.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/kernels/path.h"
#include "braid/tensor/element_kind.h"

namespace braid::kernels {

// How bytes of a map stand for its integers. u7 maps always hold the integer itself.
enum class Encoding : uint8_t {
  kU7 = 0,      // 0..127; reads the same signed and unsigned
  kS8 = 1,      // two's complement; the integer 0 is the byte 0
  kBiased = 2,  // s8 + 128, unsigned; the integer 0 is the byte 128 (the image's own pixels)
};

// The encoding in which kernels of `path` read and write maps of `kind` (kU7 or kS8): kBiased for
// s8 where the instruction wants unsigned input and wraps (vpdpbusd), else kS8.
Encoding EncodingFor(Path path, ElementKind kind);
// The byte that stands for the integer 0, and so fills the ring around a map.
constexpr uint8_t ZeroByte(Encoding encoding) { return encoding == Encoding::kBiased ? 128 : 0; }

// Where a map lies in its ring, in bytes from the window of output (0, 0): rows of taps from `top`
// to below `bottom`, taps of a row from `left` to below `right`. What lies outside holds the
// integer 0, so kernels may leave its products out; they need not. Default: nothing is outside.
struct Edges {
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
  int64_t top = 0, bottom = kNone;  // of y*row_stride + ky*tap_stride_h
  int64_t left = 0, right = kNone;  // of x*column_stride + kx*tap_stride_w
  bool operator==(const Edges&) const = default;
};

// One input map and the window that slides over it. All strides are in bytes and may be anything
// that stays inside of the map's memory: no position is tested against an edge, so maps carry a
// ring of ZeroByte as wide as their readers' padding. Output (image, row, column) sums over
//   map[image*image_stride + row*row_stride + column*column_stride
//       + ky*tap_stride_h + kx*tap_stride_w + channel]
// for ky < kernel_h, kx < kernel_w, channel < channels.
struct SourceShape {
  Encoding encoding = Encoding::kU7;
  int channels = 1;
  int kernel_h = 1, kernel_w = 1;
  int64_t tap_stride_w = 0, tap_stride_h = 0;  // pixel and row of the map, times dilation
  int64_t column_stride = 0;                   // pixel of the map, times stride_w
  int64_t row_stride = 0;                      // row of the map, times stride_h
  int64_t image_stride = 0;
  Edges edges = {};
  // Channel c of the map meets channel c of the one output alone, through a window of its own.
  bool depthwise = false;
  bool operator==(const SourceShape&) const = default;
};

// One output group. `map` strides in bytes, `wide` strides in elements of s32; wide values and
// shortcuts share theirs. A wide pixel holds PaddedChannels(channels).
struct OutputShape {
  int channels = 1;
  // Channels of a panel of its tiles (tile.h). 0: what TileBytes and PackTile use for `channels`;
  // passes over a part of the channels name the width of the whole.
  int panel_lanes = 0;
  int64_t column_stride = 0, row_stride = 0, image_stride = 0;
  int64_t wide_column_stride = 0, wide_row_stride = 0, wide_image_stride = 0;
  bool operator==(const OutputShape&) const = default;
};

enum class Start : uint8_t { kZero, kWide };  // kWide: adds to the s32 values that are there
enum class Finish : uint8_t {
  kWide,   // leaves s32 sums, without bias
  kBytes,  // bias, shortcut, clamp, multiplication, narrowing (requantization.h)
};

// A convolution of all sources into all outputs. A matrix product [M,K]x[K,N] is one source of K
// channels with a 1x1 kernel and one output of N channels over M columns (or M rows).
// Columns are fixed when code is made, rows and images when it is called.
struct ConvolutionShape {
  Path path = Path::kScalar;
  int columns = 1;  // output pixels of a row
  std::vector<SourceShape> sources;
  std::vector<OutputShape> outputs;
  Start start = Start::kZero;
  Finish finish = Finish::kBytes;
  Encoding output_encoding = Encoding::kU7;  // kBytes only
  bool shortcut = false;                     // kBytes only: adds rescaled wide values
  int shortcut_shift = 1;                    // 1..30
  bool keep_wide = false;  // kBytes only: also leaves acc + bias + shortcut in the wide memory
  bool operator==(const ConvolutionShape&) const = default;
};

// The shape as text: cache key, test name, benchmark name and profiler label. Equal shapes have
// equal names and unlike shapes unlike ones. Grammar: docs/kernels.md, section 2.
std::string ConvolutionName(const ConvolutionShape& shape);

// Whether code is generated for depthwise sources on `path`; else the scalar interpreter runs.
bool GeneratesDepthwise(Path path);

// INVALID_ARGUMENT for no source, no output, a size below 1 (columns: below 0), edges out of order,
// depthwise sources beside others or unlike the one output, or a distance between bytes of one block
// that does not fit 31 bits.
Status CheckShape(const ConvolutionShape& shape);

// `shape` without the edges that its kernels make no use of: where no column reads across them,
// where the map is kBiased (tiles hold one offset for the whole window, so its ring is computed),
// where it is depthwise (rows of taps are computed together), or where positions or rows of taps are
// too many for the code that tells them apart.
ConvolutionShape WithUsefulEdges(ConvolutionShape shape);

// [rows of A: M, K] x [N]: one image of one row of M columns; `lda`, `ldc` in bytes.
ConvolutionShape ProductShape(Path path, int m, int n, int k, Encoding encoding, int64_t lda,
                              int64_t ldc);

}  // namespace braid::kernels
