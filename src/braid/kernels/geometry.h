// Shapes of one operator call: one input channel group, one output channel group. Layer: kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "braid/tensor/element_kind.h"

namespace braid::kernels {

// Channels that one vector register of s32 holds on the narrowest path, and so the step to which
// rows of accumulators and tables are padded on all paths (also on the scalar one, so that every
// path can read what another wrote).
inline constexpr int kLanes = 8;

// Elements between two pixels of an accumulator map, and length of a per-channel table.
constexpr int PaddedChannels(int channels) { return (channels + kLanes - 1) / kLanes * kLanes; }

// Bytes that may be read past the end of an input map: vector paths copy patches in whole
// registers. What is read there never reaches a result.
inline constexpr size_t kReadSlackBytes = 64;

// A sliding window over the map of one channel group, [N,in_h,in_w,channels] ->
// [N,out_h,out_w,...]. Positions outside of the map hold the integer 0. Sizes are not checked here:
// model::Validate did, and the runtime derives them from a valid network only.
struct WindowGeometry {
  int in_h = 0, in_w = 0;
  int channels = 0;  // of the input group
  int out_h = 0, out_w = 0;
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
  int pad_top = 0, pad_left = 0;
  ElementKind input_kind = ElementKind::kU7;  // kU7 or kS8

  int64_t InputElements() const { return int64_t{in_h} * in_w * channels; }
  int64_t OutputPixels() const { return int64_t{out_h} * out_w; }
  // Products summed into one accumulator.
  int64_t Depth() const { return int64_t{kernel_h} * kernel_w * channels; }
};

}  // namespace braid::kernels
