// The operators of one path that are compiled ahead, as a table of functions; convolutions are
// generated (convolution/convolution.h). Every path gives the bits of reference/. Layer: kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "braid/kernels/convolution/kernel_call.h"
#include "braid/kernels/convolution/shape.h"
#include "braid/kernels/geometry.h"
#include "braid/kernels/path.h"
#include "braid/kernels/requantization.h"

namespace braid::kernels {

// A window that slides over each channel of a map by itself, in the strides of SourceShape (whose
// ring stands for what lies outside: the integer 0) and OutputShape.
struct PoolShape {
  SourceShape source;
  OutputShape output;
  int rows = 1, columns = 1;  // of the output
};

// A convolution whose filters read `filter_channels` channels each: depthwise where that is 1. The
// source's channels are blocks of as many, the outputs as many equal runs; outputs of run i read
// block i.
struct FilterShape {
  SourceShape source;
  OutputShape output;
  int columns = 1;  // of the output
  int filter_channels = 1;
};

// All functions are pure, allocate nothing, take no lock, and run on any thread. Pointers are
// borrowed for the call. Lanes of accumulators at or past `channels` hold no meaning.
struct KernelSet {
  Path path;

  // `accumulators` [pixels, PaddedChannels] -> `output` [pixels, channels]. `shortcut` like
  // accumulators, where the epilogue has one. See Epilogue for what is written back.
  void (*requantize)(const Epilogue& epilogue, int64_t pixels, int32_t* accumulators,
                     const int32_t* shortcut, uint8_t* output);

  // Over `n` images; `input` at the window of output (0, 0, 0), kReadSlackBytes readable past the
  // last pixel. max_pool keeps the map's encoding; sum_pool starts from zero, wide strides.
  void (*max_pool)(const PoolShape& shape, int64_t n, const uint8_t* input, uint8_t* output);
  void (*sum_pool)(const PoolShape& shape, int64_t n, const uint8_t* input, int32_t* accumulators);

  // Sums, without bias, of output rows [rows.begin, rows.end) of one image; `image` at the window
  // of its output (0, 0), `weights` [kernel_h, kernel_w, filter_channels, outputs], wide strides.
  void (*filter_sums)(const FilterShape& shape, Range rows, const uint8_t* image,
                      const int8_t* weights, int32_t* sums);
};

// `path` must be supported by this processor (PathSupported); checked. Valid for ever.
const KernelSet& KernelsFor(Path path);

}  // namespace braid::kernels
