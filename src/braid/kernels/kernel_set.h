// The operators of one path, as a table of functions: the seam into which generated kernels plug.
// Every path gives the bits of reference/. Layer: kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "braid/kernels/geometry.h"
#include "braid/kernels/path.h"
#include "braid/kernels/requantization.h"

namespace braid::kernels {

// Where one output group's sums go.
struct ConvTarget {
  const std::byte* tile = nullptr;  // packed by the same KernelSet for the same geometry
  int32_t* accumulators = nullptr;  // [N,out_h,out_w,PaddedChannels(channels)]
  int channels = 0;                 // output channels of the group
};

// All functions are pure, allocate nothing, take no lock, and run on any thread. Pointers are
// borrowed for the call. Lanes of accumulators at or past `channels` hold no meaning.
struct KernelSet {
  Path path;

  // Weights of [output group x input group]: size of, and conversion from OHWI
  // [out_channels, kernel_h, kernel_w, channels] s8 in -127..127 to this path's own layout.
  // `tile` is aligned to 64 bytes.
  size_t (*tile_bytes)(const WindowGeometry& geometry, int out_channels);
  void (*pack_tile)(const WindowGeometry& geometry, int out_channels, const int8_t* weights,
                    std::byte* tile);

  // Convolution of the map of one input group into any number of output groups: `input`
  // [n,in_h,in_w,channels], kReadSlackBytes readable past its end, gives accumulators that start
  // from zero, or that are added to when `add`. A linear layer is the convolution whose window is
  // its whole map. `scratch`: scratch_bytes(geometry), aligned to 64 bytes.
  size_t (*scratch_bytes)(const WindowGeometry& geometry);
  void (*convolve)(const WindowGeometry& geometry, int n, const uint8_t* input,
                   std::span<const ConvTarget> targets, bool add, std::byte* scratch);

  // `accumulators` [pixels, PaddedChannels] -> `output` [pixels, channels] u7 or s8. `shortcut`
  // like accumulators, where the epilogue has one. See Epilogue for what is written back.
  void (*requantize)(const Epilogue& epilogue, int64_t pixels, int32_t* accumulators,
                     const int32_t* shortcut, uint8_t* output);

  // Per channel, `input` [n,in_h,in_w,channels] of u7 or s8.
  // max_pool: `output` [n,out_h,out_w,channels] of the same kind.
  // sum_pool: `accumulators` [n,out_h,out_w,PaddedChannels(channels)], started from zero.
  void (*max_pool)(const WindowGeometry& geometry, int n, const uint8_t* input, uint8_t* output);
  void (*sum_pool)(const WindowGeometry& geometry, int n, const uint8_t* input,
                   int32_t* accumulators);
};

// `path` must be supported by this processor (PathSupported); checked. Valid for ever.
const KernelSet& KernelsFor(Path path);

}  // namespace braid::kernels
