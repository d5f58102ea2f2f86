// The part of a window's row that a block has to compute: what lies in the padding is left out.
// Layer: kernels. Theory: docs/kernels.md, section 3.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/kernels/convolution/shape.h"
#include "braid/kernels/convolution/tile.h"

namespace braid::kernels::generated {

// Adjacent steps of one row of taps that the same pixels of a block need.
struct Span {
  int64_t map_offset = 0;  // of its first four bytes, from the row's
  int first_step = 0;      // of the row
  int steps = 0;
  uint32_t live = 0;       // bit p: pixel p of the block needs them; never 0
};

// Of a block of `pixels` (at most 32) columns from `first_column` on, all steps that read the map.
std::vector<Span> SpansOf(const SourceShape& source, const Runs& runs, int first_column,
                          int pixels);
// Of a block whose windows lie inside of the map: one span a run.
std::vector<Span> InnerSpans(const SourceShape& source, const Runs& runs, int pixels);

// Steps of all sources that read the map for output column `column`, where all rows of taps do.
int64_t StepsOf(const ConvolutionShape& shape, int column);

}  // namespace braid::kernels::generated
