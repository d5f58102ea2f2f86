// The operators of one path that are compiled ahead, as a table of functions; convolutions are
// generated (convolution/convolution.h). Every path gives the bits of reference/. Layer: kernels.
#pragma once

#include <cstddef>
#include <cstdint>

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
};

// `path` must be supported by this processor (PathSupported); checked. Valid for ever.
const KernelSet& KernelsFor(Path path);

}  // namespace braid::kernels
