#include "braid/kernels/reference/pooling.h"

#include <algorithm>

namespace braid::kernels::reference {
namespace {

int32_t Decode(Encoding encoding, uint8_t byte) {
  return encoding == Encoding::kBiased ? int32_t{byte} - 128 : static_cast<int8_t>(byte);
}

// Calls visit(window of the pixel, image, row, column).
template <typename Visit>
void ForEachPixel(const PoolShape& shape, int64_t n, const uint8_t* input, Visit visit) {
  const SourceShape& s = shape.source;
  for (int64_t image = 0; image < n; ++image) {
    for (int64_t y = 0; y < shape.rows; ++y) {
      for (int64_t x = 0; x < shape.columns; ++x) {
        visit(input + image * s.image_stride + y * s.row_stride + x * s.column_stride, image, y, x);
      }
    }
  }
}

// Folds one channel of a window with `fold(so_far, value)`.
template <typename Fold>
int32_t FoldWindow(const SourceShape& s, const uint8_t* window, int c, int32_t start, Fold fold) {
  int32_t result = start;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    for (int kx = 0; kx < s.kernel_w; ++kx) {
      result = fold(result,
                    Decode(s.encoding, window[ky * s.tap_stride_h + kx * s.tap_stride_w + c]));
    }
  }
  return result;
}

}  // namespace

void MaxPool(const PoolShape& shape, int64_t n, const uint8_t* input, uint8_t* output) {
  const SourceShape& s = shape.source;
  const OutputShape& o = shape.output;
  ForEachPixel(shape, n, input, [&](const uint8_t* window, int64_t image, int64_t y, int64_t x) {
    uint8_t* to = output + image * o.image_stride + y * o.row_stride + x * o.column_stride;
    for (int c = 0; c < s.channels; ++c) {
      const int32_t largest = FoldWindow(
          s, window, c, -128, [](int32_t a, int32_t b) { return std::max(a, b); });
      to[c] = static_cast<uint8_t>(largest + ZeroByte(s.encoding));
    }
  });
}

void SumPool(const PoolShape& shape, int64_t n, const uint8_t* input, int32_t* accumulators) {
  const SourceShape& s = shape.source;
  const OutputShape& o = shape.output;
  ForEachPixel(shape, n, input, [&](const uint8_t* window, int64_t image, int64_t y, int64_t x) {
    int32_t* to = accumulators + image * o.wide_image_stride + y * o.wide_row_stride +
                  x * o.wide_column_stride;
    for (int c = 0; c < s.channels; ++c) {
      to[c] = FoldWindow(s, window, c, 0, [](int32_t a, int32_t b) { return a + b; });
    }
  });
}

}  // namespace braid::kernels::reference
