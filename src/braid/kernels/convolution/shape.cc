#include "braid/kernels/convolution/shape.h"

#include <limits>

#include "braid/kernels/geometry.h"

namespace braid::kernels {
namespace {

const char* EncodingName(Encoding encoding) {
  switch (encoding) {
    case Encoding::kU7:
      return "u7";
    case Encoding::kS8:
      return "s8";
    case Encoding::kBiased:
      return "b8";
  }
  return "?";
}

std::string Strides(std::initializer_list<int64_t> strides) {
  std::string text;
  for (const int64_t stride : strides) {
    text += text.empty() ? "@" : ",";
    text += std::to_string(stride);
  }
  return text;
}

std::string EdgesName(const Edges& e) {
  if (e == Edges{}) return "";
  const auto number = [](int64_t edge) {
    return edge == Edges::kNone ? std::string("-") : std::to_string(edge);
  };
  return "[" + number(e.top) + "," + number(e.bottom) + "," + number(e.left) + "," +
         number(e.right) + "]";
}

std::string SourceName(const SourceShape& s) {
  return std::string(EncodingName(s.encoding)) + "x" + std::to_string(s.channels) + (s.depthwise ? "dk" : "k") +
         std::to_string(s.kernel_h) + "x" + std::to_string(s.kernel_w) +
         Strides({s.tap_stride_w, s.tap_stride_h, s.column_stride, s.row_stride, s.image_stride}) +
         EdgesName(s.edges);
}

std::string OutputName(const OutputShape& o) {
  return std::to_string(o.channels) + "p" + std::to_string(o.panel_lanes) +
         Strides({o.column_stride, o.row_stride, o.image_stride, o.wide_column_stride,
                  o.wide_row_stride, o.wide_image_stride});
}

// Equal neighbours are written once, with their number.
template <typename Part, typename Name>
std::string Repeated(const std::vector<Part>& parts, Name name) {
  std::string text;
  for (size_t i = 0; i < parts.size();) {
    size_t end = i + 1;
    while (end < parts.size() && parts[end] == parts[i]) ++end;
    text += (text.empty() ? "" : "+") + std::to_string(end - i) + "*" + name(parts[i]);
    i = end;
  }
  return text;
}

// Bytes or elements that one kernel reaches from a base by displacements.
constexpr int64_t kMaxReach = std::numeric_limits<int32_t>::max() / 8;
// Accumulators a block may have, in any path.
constexpr int kMaxBlock = 32;

}  // namespace

Encoding EncodingFor(Path path, ElementKind kind) {
  if (kind == ElementKind::kU7) return Encoding::kU7;
  return path == Path::kAvx512Vnni ? Encoding::kBiased : Encoding::kS8;
}

std::string ConvolutionName(const ConvolutionShape& shape) {
  std::string name = "conv_" + std::string(PathName(shape.path));
  name += "/w" + std::to_string(shape.columns);
  name += "/" + Repeated(shape.sources, SourceName);
  name += "/" + Repeated(shape.outputs, OutputName);
  name += shape.start == Start::kZero ? "/zero" : "/wide";
  if (shape.finish == Finish::kWide) return name + "-wide";
  name += std::string("-") + EncodingName(shape.output_encoding);
  if (shape.shortcut) name += "+s" + std::to_string(shape.shortcut_shift);
  if (shape.keep_wide) name += "+keep";
  return name;
}

Status CheckShape(const ConvolutionShape& shape) {
  if (shape.sources.empty() || shape.outputs.empty() || shape.columns < 0) {
    return InvalidArgument("convolution: expected sources, outputs and columns");
  }
  if (shape.shortcut_shift < 1 || shape.shortcut_shift > 30) {
    return InvalidArgument("convolution: shortcut_shift out of 1..30");
  }
  const bool depthwise = shape.sources[0].depthwise;
  if (depthwise && shape.outputs.size() != 1) {
    return InvalidArgument("convolution: depthwise sources have one output");
  }
  for (const SourceShape& s : shape.sources) {
    if (s.depthwise != depthwise || (depthwise && s.channels != shape.outputs[0].channels)) {
      return InvalidArgument("convolution: depthwise sources have the output's channels");
    }
    if (s.channels < 1 || s.kernel_h < 1 || s.kernel_w < 1) {
      return InvalidArgument("convolution: a source's size is below 1");
    }
    if (s.edges.top < 0 || s.edges.left < 0 || s.edges.bottom < s.edges.top ||
        s.edges.right < s.edges.left) {
      return InvalidArgument("convolution: a source's edges are out of order");
    }
    const int64_t depth = int64_t{s.channels} * s.kernel_h * s.kernel_w;
    // 16 lanes of 4 bytes a step, in a few panels; steps are padded by less than four bytes a tap.
    if (depth > kMaxReach / 64 || int64_t{s.kernel_h} * s.kernel_w * 4 > kMaxReach / 64 ||
        s.tap_stride_h * s.kernel_h + s.tap_stride_w * s.kernel_w + s.channels > kMaxReach ||
        s.column_stride > kMaxReach / kMaxBlock || s.column_stride < 0 || s.tap_stride_h < 0 ||
        s.tap_stride_w < 0) {
      return InvalidArgument("convolution: a source is out of reach");
    }
  }
  for (const OutputShape& o : shape.outputs) {
    if (o.channels < 1) return InvalidArgument("convolution: an output without channels");
    if (o.column_stride > kMaxReach / kMaxBlock || o.wide_column_stride > kMaxReach / kMaxBlock ||
        o.column_stride < 0 || o.wide_column_stride < 0) {
      return InvalidArgument("convolution: an output is out of reach");
    }
  }
  return OkStatus();
}

bool GeneratesDepthwise(Path path) {
  return path == Path::kAvx2 || path == Path::kAvx512Vnni;
}

ConvolutionShape WithUsefulEdges(ConvolutionShape shape) {
  // One bit a row of taps, in an immediate operand.
  constexpr int kMaxRowsOfTaps = 30;
  const auto fits = [](int64_t bytes) { return bytes >= 0 && bytes <= kMaxReach; };
  for (SourceShape& s : shape.sources) {
    Edges& e = s.edges;
    const bool useful = ZeroByte(s.encoding) == 0 && !s.depthwise;
    const int64_t last_tap = (shape.columns - 1) * s.column_stride + (s.kernel_w - 1) * s.tap_stride_w;
    if (!useful || (e.left <= 0 && last_tap < e.right)) {
      e.left = 0;
      e.right = Edges::kNone;
    }
    if (!useful || s.kernel_h > kMaxRowsOfTaps || !fits(e.top) || !fits(e.bottom - e.top) ||
        !fits(s.row_stride)) {
      e.top = 0;
      e.bottom = Edges::kNone;
    }
  }
  return shape;
}

ConvolutionShape ProductShape(Path path, int m, int n, int k, Encoding encoding, int64_t lda,
                              int64_t ldc) {
  ConvolutionShape shape;
  shape.path = path;
  shape.columns = m;
  shape.sources.push_back({.encoding = encoding,
                           .channels = k,
                           .tap_stride_w = k,
                           .tap_stride_h = k,
                           .column_stride = lda,
                           .row_stride = lda * m,
                           .image_stride = lda * m});
  shape.outputs.push_back({.channels = n,
                           .column_stride = ldc,
                           .row_stride = ldc * m,
                           .image_stride = ldc * m,
                           .wide_column_stride = PaddedChannels(n),
                           .wide_row_stride = int64_t{PaddedChannels(n)} * m,
                           .wide_image_stride = int64_t{PaddedChannels(n)} * m});
  return shape;
}

}  // namespace braid::kernels
