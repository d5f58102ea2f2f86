#include "braid/kernels/reference/filters.h"

#include <algorithm>

namespace braid::kernels::reference {
namespace {

// One tap of one pixel: `weights` [channels of a filter, outputs]. A byte less its zero is the
// integer, as a signed byte; u7 reads the same as signed.
void AddTap(const FilterShape& shape, const uint8_t* input, const int8_t* weights, int32_t* sums) {
  const uint8_t zero = ZeroByte(shape.source.encoding);
  const int outputs = shape.output.channels;
  const int blocks = shape.source.channels / shape.filter_channels;
  const int outputs_of_block = outputs / blocks;
  for (int i = 0; i < shape.filter_channels; ++i, weights += outputs) {
    if (outputs_of_block == 1) {  // depthwise: a loop that compilers turn into vector code
      for (int o = 0; o < outputs; ++o) {
        sums[o] += static_cast<int8_t>(input[o * shape.filter_channels + i] - zero) * weights[o];
      }
      continue;
    }
    for (int block = 0; block < blocks; ++block) {
      const int32_t value = static_cast<int8_t>(input[block * shape.filter_channels + i] - zero);
      for (int o = block * outputs_of_block; o < (block + 1) * outputs_of_block; ++o) {
        sums[o] += value * weights[o];
      }
    }
  }
}

}  // namespace

void FilterSums(const FilterShape& shape, Range rows, const uint8_t* image, const int8_t* weights,
                int32_t* sums) {
  const SourceShape& s = shape.source;
  const OutputShape& o = shape.output;
  const int64_t tap_weights = int64_t{shape.filter_channels} * o.channels;
  for (int64_t y = rows.begin; y < rows.end; ++y) {
    for (int64_t x = 0; x < shape.columns; ++x) {
      const uint8_t* window = image + y * s.row_stride + x * s.column_stride;
      int32_t* to = sums + y * o.wide_row_stride + x * o.wide_column_stride;
      std::fill_n(to, o.channels, 0);
      const int8_t* tap = weights;
      for (int ky = 0; ky < s.kernel_h; ++ky) {
        for (int kx = 0; kx < s.kernel_w; ++kx, tap += tap_weights) {
          AddTap(shape, window + ky * s.tap_stride_h + kx * s.tap_stride_w, tap, to);
        }
      }
    }
  }
}

}  // namespace braid::kernels::reference
