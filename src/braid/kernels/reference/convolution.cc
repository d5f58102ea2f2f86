#include "braid/kernels/reference/convolution.h"

#include <cstddef>

#include "braid/kernels/convolution/convolution.h"
#include "braid/kernels/reference/requantization.h"
#include "braid/kernels/requantization.h"

namespace braid::kernels::reference {
namespace {

// `channels` of each tap, which follow each other.
int32_t Dot(const SourceShape& s, const uint8_t* window, int channels, const int8_t* weights) {
  // A byte less its zero is the integer, as a signed byte; u7 reads the same as signed.
  const uint8_t zero = ZeroByte(s.encoding);
  int32_t sum = 0;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    for (int kx = 0; kx < s.kernel_w; ++kx) {
      const uint8_t* at = window + ky * s.tap_stride_h + kx * s.tap_stride_w;
      for (int c = 0; c < channels; ++c) {
        sum += static_cast<int8_t>(at[c] - zero) * *weights++;
      }
    }
  }
  return sum;
}

struct Position {
  int64_t image, row, column;
};


int64_t MapOffset(const SourceShape& s, const Position& at) {
  return at.image * s.image_stride + at.row * s.row_stride + at.column * s.column_stride;
}
int64_t MapOffset(const OutputShape& o, const Position& at) {
  return at.image * o.image_stride + at.row * o.row_stride + at.column * o.column_stride;
}
int64_t WideOffset(const OutputShape& o, const Position& at) {
  return at.image * o.wide_image_stride + at.row * o.wide_row_stride +
         at.column * o.wide_column_stride;
}

void Pixel(const KernelCall& call, size_t output, const Position& at) {
  const ConvolutionShape& shape = *call.shape;
  const OutputShape& o = shape.outputs[output];
  const int64_t wide_at = WideOffset(o, at);
  for (int c = 0; c < o.channels; ++c) {
    int32_t value = shape.start == Start::kWide ? call.wide[output][wide_at + c] : 0;
    for (size_t s = 0; s < shape.sources.size(); ++s) {
      const SourceShape& source = shape.sources[s];
      const auto* weights =
          reinterpret_cast<const int8_t*>(call.tiles[s * shape.outputs.size() + output]);
      const uint8_t* window = call.maps[s] + MapOffset(source, at) + (source.depthwise ? c : 0);
      const int channels = source.depthwise ? 1 : source.channels;
      value += Dot(source, window, channels,
                   weights + int64_t{c} * source.kernel_h * source.kernel_w * channels);
    }
    if (shape.finish == Finish::kWide) {
      call.wide[output][wide_at + c] = value;
      continue;
    }
    const int32_t* table = call.tables[output];
    const auto entry = [&](TableRow row) { return table[TableIndex(row, c)]; };
    value += entry(TableRow::kBias);
    if (shape.shortcut) {
      value += RescaleShortcut(call.shortcuts[output][wide_at + c], call.shortcut_high[0],
                               entry(TableRow::kShortcutMul), shape.shortcut_shift);
    }
    if (shape.keep_wide) call.wide[output][wide_at + c] = value;
    const int32_t y = RequantizeValue(value, entry(TableRow::kMul),
                                      {entry(TableRow::kLow), entry(TableRow::kHigh)});
    call.outputs[output][MapOffset(o, at) + c] =
        static_cast<uint8_t>(y + ZeroByte(shape.output_encoding));
  }
}

}  // namespace

void Convolve(const KernelCall* call, Range images, Range rows) {
  for (int64_t image = images.begin; image < images.end; ++image) {
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      for (int64_t column = 0; column < call->shape->columns; ++column) {
        for (size_t o = 0; o < call->shape->outputs.size(); ++o) {
          Pixel(*call, o, {image, row, column});
        }
      }
    }
  }
}

}  // namespace braid::kernels::reference
