// Seeded convolutions of any shape with their data, and a run of one on a path. Layer: kernels
// (tests and benchmarks only).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "braid/base/rng.h"
#include "braid/kernels/convolution/convolution.h"
#include "braid/kernels/geometry.h"
#include "braid/kernels/requantization.h"
#include "braid/kernels/testing/random_case.h"

namespace braid::kernels::testing {

struct FreeAligned {
  void operator()(std::byte* p) const { std::free(p); }
};
using AlignedBytes = std::unique_ptr<std::byte, FreeAligned>;
inline AlignedBytes MakeAligned(size_t bytes) {
  constexpr size_t kAlignment = 64;
  return AlignedBytes(static_cast<std::byte*>(
      std::aligned_alloc(kAlignment, (bytes / kAlignment + 1) * kAlignment)));
}

// Everything in the integers' own encoding (kU7, kS8), as the scalar path reads it.
struct ConvolutionCase {
  ConvolutionShape shape;  // of the scalar path
  int64_t images = 1, rows = 1;
  std::vector<std::vector<uint8_t>> maps;    // [sources], with slack
  std::vector<std::vector<int8_t>> weights;  // [sources, outputs] OHWI
  std::vector<std::vector<int32_t>> tables, wide, shortcuts;  // [outputs]
  std::vector<size_t> output_bytes;                           // [outputs]
  int32_t shortcut_clamp = 0;
  std::vector<bool> outside;  // bytes of each map that edges exclude; RandomPaddedConvolution only
};

struct ConvolutionRun {
  std::vector<std::vector<uint8_t>> outputs;  // decoded to kU7, kS8; gaps keep kGap
  std::vector<std::vector<int32_t>> wide;     // lanes past `channels` set to 0
  bool operator==(const ConvolutionRun&) const = default;
};
inline constexpr uint8_t kGap = 0xa5;

// The same shape for another path: its encodings.
inline ConvolutionShape ForPath(ConvolutionShape shape, Path path) {
  shape.path = path;
  const auto encode = [path](Encoding e) {
    return EncodingFor(path, e == Encoding::kU7 ? ElementKind::kU7 : ElementKind::kS8);
  };
  for (SourceShape& s : shape.sources) s.encoding = encode(s.encoding);
  shape.output_encoding = encode(shape.output_encoding);
  return shape;
}

inline ConvolutionRun RunOn(const ConvolutionCase& c, Path path,
                            const std::vector<Range>& row_parts) {
  const ConvolutionShape shape = ForPath(c.shape, path);
  const std::shared_ptr<const Convolution> convolution = Convolution::Make(shape).value();
  ConvolutionMemory memory;
  std::vector<std::vector<uint8_t>> maps = c.maps;
  for (size_t s = 0; s < maps.size(); ++s) {
    for (uint8_t& byte : maps[s]) {
      byte = static_cast<uint8_t>(byte + ZeroByte(shape.sources[s].encoding));
    }
    memory.maps.push_back(maps[s].data());
  }
  std::vector<AlignedBytes> tiles;
  for (size_t s = 0; s < shape.sources.size(); ++s) {
    for (size_t o = 0; o < shape.outputs.size(); ++o) {
      const int channels = shape.outputs[o].channels;
      tiles.push_back(MakeAligned(TileBytes(path, shape.sources[s], channels)));
      PackTile(path, shape.sources[s], channels, c.weights[s * shape.outputs.size() + o].data(),
               tiles.back().get());
      memory.tiles.push_back(tiles.back().get());
    }
  }
  ConvolutionRun run;
  run.wide = c.wide;
  for (size_t o = 0; o < shape.outputs.size(); ++o) {
    run.outputs.emplace_back(c.output_bytes[o], kGap);
  }
  for (size_t o = 0; o < shape.outputs.size(); ++o) {
    memory.outputs.push_back(run.outputs[o].data());
    memory.wide.push_back(run.wide[o].data());
    memory.shortcuts.push_back(c.shortcuts[o].data());
    memory.tables.push_back(c.tables[o].data());
  }
  memory.shortcut_clamp = c.shortcut_clamp;
  const BoundConvolution bound = convolution->Bind(memory);
  for (const Range& rows : row_parts) bound.Run({0, c.images}, rows);

  for (size_t o = 0; o < shape.outputs.size(); ++o) {
    const OutputShape& output = shape.outputs[o];
    std::vector<bool> written(run.outputs[o].size()), held(run.wide[o].size());
    for (int64_t i = 0; i < c.images * c.rows * shape.columns; ++i) {
      const int64_t image = i / (c.rows * shape.columns);
      const int64_t row = i / shape.columns % c.rows;
      const int64_t column = i % shape.columns;
      for (int k = 0; k < output.channels; ++k) {
        written[static_cast<size_t>(image * output.image_stride + row * output.row_stride +
                                    column * output.column_stride + k)] = true;
        held[static_cast<size_t>(image * output.wide_image_stride + row * output.wide_row_stride +
                                 column * output.wide_column_stride + k)] = true;
      }
    }
    for (size_t i = 0; i < written.size() && shape.finish == Finish::kBytes; ++i) {
      if (written[i]) run.outputs[o][i] -= ZeroByte(shape.output_encoding);
    }
    for (size_t i = 0; i < held.size(); ++i) {
      if (!held[i]) run.wide[o][i] = 0;
    }
  }
  return run;
}

inline ConvolutionRun RunOn(const ConvolutionCase& c, Path path) {
  return RunOn(c, path, {{0, c.rows}});
}

// Fills maps, weights, tables and wide values for c.shape, c.images and c.rows.
inline void FillData(Rng& rng, ConvolutionCase& c) {
  const ConvolutionShape& shape = c.shape;
  const auto last = [](int64_t count) { return std::max<int64_t>(count - 1, 0); };
  for (const SourceShape& s : shape.sources) {
    const int64_t bytes = last(c.images) * s.image_stride + last(c.rows) * s.row_stride +
                          last(shape.columns) * s.column_stride +
                          (s.kernel_h - 1) * s.tap_stride_h + (s.kernel_w - 1) * s.tap_stride_w +
                          s.channels;
    c.maps.push_back(RandomBytes(
        rng, s.encoding == Encoding::kU7 ? ElementKind::kU7 : ElementKind::kS8, bytes,
        kReadSlackBytes));
    for (const OutputShape& o : shape.outputs) {
      c.weights.push_back(RandomWeights(
          rng, int64_t{o.channels} * s.kernel_h * s.kernel_w * (s.depthwise ? 1 : s.channels)));
    }
  }
  c.shortcut_clamp = static_cast<int32_t>(rng.Between(0, 1 << 19));
  for (const OutputShape& o : shape.outputs) {
    std::vector<int32_t> table(TableElements(o.channels));
    for (int k = 0; k < o.channels; ++k) {
      const bool extreme = rng.Below(4) == 0;
      const auto mul = static_cast<int32_t>(
          extreme ? rng.Between(-1, 1) * kMaxMultiplier : rng.Between(-(1 << 18), 1 << 18));
      const ClampInterval interval =
          ClampIntervalFor(mul, shape.output_encoding == Encoding::kU7);
      table[TableIndex(TableRow::kBias, k)] = static_cast<int32_t>(rng.Between(-60'000, 60'000));
      table[TableIndex(TableRow::kMul, k)] = mul;
      table[TableIndex(TableRow::kLow, k)] = interval.low;
      table[TableIndex(TableRow::kHigh, k)] = interval.high;
      table[TableIndex(TableRow::kShortcutMul, k)] = static_cast<int32_t>(rng.Between(-1000, 1000));
    }
    c.tables.push_back(std::move(table));
    const auto wide = static_cast<size_t>(
        last(c.images) * o.wide_image_stride + last(c.rows) * o.wide_row_stride +
        last(shape.columns) * o.wide_column_stride + PaddedChannels(o.channels));
    c.wide.emplace_back(wide);
    for (int32_t& value : c.wide.back()) value = static_cast<int32_t>(rng.Between(-(1 << 24), 1 << 24));
    c.shortcuts.emplace_back(wide);
    for (int32_t& value : c.shortcuts.back()) value = static_cast<int32_t>(rng.Next());
    c.output_bytes.push_back(static_cast<size_t>(
        last(c.images) * o.image_stride + last(c.rows) * o.row_stride +
        last(shape.columns) * o.column_stride + o.channels));
  }
}

// Maps of [rows + more, columns + more, channels + gap], any stride, dilation and number of
// sources and outputs.
inline ConvolutionCase RandomConvolution(Rng& rng, int max_columns, int max_channels) {
  ConvolutionCase c;
  c.images = rng.Between(0, 2);
  c.rows = rng.Between(0, 3);
  c.shape.columns = rng.Below(16) == 0 ? 0 : RandomSize(rng, max_columns);
  const auto sources = static_cast<size_t>(rng.Between(1, 4));
  const bool alike = rng.Below(2) == 0;
  for (size_t i = 0; i < sources; ++i) {
    if (i > 0 && alike) {
      c.shape.sources.push_back(c.shape.sources[0]);
      continue;
    }
    SourceShape s;
    s.encoding = rng.Below(2) == 0 ? Encoding::kU7 : Encoding::kS8;
    s.channels = RandomSize(rng, max_channels);
    s.kernel_h = RandomSize(rng, 5);
    s.kernel_w = RandomSize(rng, 5);
    const int64_t pixel = s.channels + (rng.Below(2) == 0 ? 0 : rng.Between(1, 9));
    const int64_t dilation_w = rng.Below(3) == 0 ? 2 : 1;
    const int64_t dilation_h = rng.Below(3) == 0 ? 2 : 1;
    const int64_t stride = rng.Between(1, 3);
    const int64_t width =
        std::max<int64_t>(c.shape.columns, 1) * stride + (s.kernel_w - 1) * dilation_w;
    s.tap_stride_w = pixel * dilation_w;
    s.tap_stride_h = pixel * width * dilation_h;
    s.column_stride = pixel * stride;
    s.row_stride = pixel * width * rng.Between(1, 2);
    s.image_stride = s.row_stride * (c.rows + s.kernel_h);
    c.shape.sources.push_back(s);
  }
  const auto outputs = static_cast<size_t>(rng.Between(1, rng.Below(4) == 0 ? 9 : 3));
  const int same_channels = rng.Below(2) == 0 ? RandomSize(rng, max_channels) : 0;
  for (size_t i = 0; i < outputs; ++i) {
    OutputShape o;
    o.channels = same_channels > 0 ? same_channels : RandomSize(rng, max_channels);
    o.column_stride = o.channels + (rng.Below(2) == 0 ? 0 : rng.Between(1, 9));
    o.row_stride = o.column_stride * c.shape.columns + rng.Between(0, 9);
    o.image_stride = o.row_stride * c.rows + rng.Between(0, 9);
    o.wide_column_stride = PaddedChannels(o.channels);
    o.wide_row_stride = o.wide_column_stride * c.shape.columns;
    o.wide_image_stride = o.wide_row_stride * c.rows;
    c.shape.outputs.push_back(o);
  }
  c.shape.start = rng.Below(3) == 0 ? Start::kWide : Start::kZero;
  c.shape.finish = rng.Below(4) == 0 ? Finish::kWide : Finish::kBytes;
  c.shape.output_encoding = rng.Below(2) == 0 ? Encoding::kU7 : Encoding::kS8;
  if (c.shape.finish == Finish::kBytes) {
    c.shape.shortcut = rng.Below(3) == 0;
    c.shape.shortcut_shift = static_cast<int>(rng.Between(1, 29));
    c.shape.keep_wide = rng.Below(3) == 0;
  }
  FillData(rng, c);
  return c;
}

// One or two maps of zeros around [in_h, in_w, channels + gap] with all that a window may do at their
// edges: any padding on each side, up to windows that lie outside of the map altogether, strides,
// dilation, maps of a few pixels.
inline ConvolutionCase RandomPaddedConvolution(Rng& rng, int max_size, int max_channels) {
  ConvolutionCase c;
  c.images = rng.Between(1, 2);
  struct Side {
    int in, kernel, dilation, stride, before, after, out;
  };
  const auto random_side = [&] {
    for (;;) {
      Side s;
      s.in = RandomSize(rng, max_size);
      s.kernel = RandomSize(rng, 7);
      s.dilation = rng.Below(3) == 0 ? static_cast<int>(rng.Between(2, 3)) : 1;
      s.stride = static_cast<int>(rng.Between(1, 3));
      const int extent = (s.kernel - 1) * s.dilation + 1;
      s.before = static_cast<int>(rng.Below(2) == 0 ? extent / 2 : rng.Between(0, extent + 1));
      s.after = static_cast<int>(rng.Below(2) == 0 ? extent / 2 : rng.Between(0, extent + 1));
      const int free = s.in + s.before + s.after - extent;
      if (free < 0) continue;
      s.out = free / s.stride + 1;
      return s;
    }
  };
  const Side h = random_side(), w = random_side();
  c.rows = h.out;
  c.shape.columns = w.out;
  SourceShape source;
  source.encoding = rng.Below(4) == 0 ? Encoding::kS8 : Encoding::kU7;
  source.channels = RandomSize(rng, max_channels);
  source.kernel_h = h.kernel;
  source.kernel_w = w.kernel;
  const int64_t pixel = source.channels + (rng.Below(3) == 0 ? rng.Between(1, 9) : 0);
  const int64_t row = pixel * (w.before + w.in + w.after);
  source.tap_stride_w = pixel * w.dilation;
  source.tap_stride_h = row * h.dilation;
  source.column_stride = pixel * w.stride;
  source.row_stride = row * h.stride;
  source.image_stride = row * (h.before + h.in + h.after);
  source.edges = {.top = h.before * row,
                  .bottom = (h.before + h.in) * row,
                  .left = w.before * pixel,
                  .right = (w.before + w.in) * pixel};
  c.shape.sources.assign(rng.Below(3) == 0 ? 2 : 1, source);
  const auto outputs = static_cast<size_t>(rng.Between(1, 2));
  for (size_t i = 0; i < outputs; ++i) {
    OutputShape o;
    o.channels = RandomSize(rng, max_channels);
    o.column_stride = o.channels;
    o.row_stride = o.column_stride * w.out;
    o.image_stride = o.row_stride * h.out;
    o.wide_column_stride = PaddedChannels(o.channels);
    o.wide_row_stride = o.wide_column_stride * w.out;
    o.wide_image_stride = o.wide_row_stride * h.out;
    c.shape.outputs.push_back(o);
  }
  c.shape.finish = rng.Below(3) == 0 ? Finish::kWide : Finish::kBytes;
  FillData(rng, c);
  c.outside.resize(c.maps[0].size() - kReadSlackBytes);
  for (size_t i = 0; i < c.outside.size(); ++i) {
    const int64_t at = static_cast<int64_t>(i) % source.image_stride, x = at % row;
    c.outside[i] = at < source.edges.top || at >= source.edges.bottom || x < source.edges.left ||
                   x >= source.edges.right;
    if (!c.outside[i]) continue;
    for (std::vector<uint8_t>& map : c.maps) map[i] = 0;
  }
  return c;
}

// RandomConvolution with depthwise sources of the same channels.
inline ConvolutionCase RandomDepthwise(Rng& rng, int max_columns, int max_channels) {
  ConvolutionCase like;
  do {
    like = RandomConvolution(rng, max_columns, 1);
  } while (like.shape.outputs.size() != 1);
  ConvolutionCase c;
  c.shape = like.shape;
  c.images = like.images;
  c.rows = like.rows;
  const int channels = RandomSize(rng, max_channels);
  for (SourceShape& s : c.shape.sources) {
    s.depthwise = true;
    s.channels = channels;
    // As wide a pixel makes room for the channels.
    for (int64_t* stride : {&s.tap_stride_w, &s.tap_stride_h, &s.column_stride, &s.row_stride,
                            &s.image_stride}) {
      *stride *= channels;
    }
  }
  OutputShape& o = c.shape.outputs[0];
  o.channels = channels;
  o.column_stride *= channels;
  o.row_stride = o.column_stride * c.shape.columns;
  o.image_stride = o.row_stride * c.rows;
  o.wide_column_stride = PaddedChannels(channels);
  o.wide_row_stride = o.wide_column_stride * c.shape.columns;
  o.wide_image_stride = o.wide_row_stride * c.rows;
  FillData(rng, c);
  return c;
}

}  // namespace braid::kernels::testing
