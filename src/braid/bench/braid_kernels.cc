// Braid's own way of computing a kernel case, through the interface that the runtime uses.
// Layer: bench.
#include <cstring>

#include "braid/bench/contender.h"
#include "braid/kernels/convolution/convolution.h"
#include "braid/kernels/geometry.h"
#include "braid/kernels/requantization.h"
#include "braid/runtime/aligned_buffer.h"

namespace braid::bench {
namespace {

using kernels::Convolution;
using kernels::ConvolutionMemory;
using kernels::ConvolutionShape;
using kernels::Encoding;
using kernels::TableRow;

int64_t Padded(int channels) { return kernels::PaddedChannels(channels); }

// The map of a convolution has a ring of one pixel, as the runtime lays it out; outputs go to a
// map with such a ring too, since the next layer reads them there.
ConvolutionShape ShapeOf(const KernelCase& c, kernels::Path path, Encoding encoding) {
  if (!c.convolution()) return kernels::ProductShape(path, c.m, c.n, c.k, encoding, c.k, c.n);
  const int64_t pixel = c.channels(), row = (c.side + 2) * pixel;
  const int64_t out_row = (c.out_side() + 2) * pixel;
  ConvolutionShape shape;
  shape.path = path;
  shape.columns = c.out_side();
  shape.sources = {{.encoding = encoding,
                    .channels = c.channels(),
                    .kernel_h = 3,
                    .kernel_w = 3,
                    .tap_stride_w = pixel,
                    .tap_stride_h = row,
                    .column_stride = pixel * c.stride,
                    .row_stride = row * c.stride,
                    .image_stride = row * (c.side + 2),
                    .edges = {.top = row,
                              .bottom = row * (c.side + 1),
                              .left = pixel,
                              .right = pixel * (c.side + 1)},
                    .depthwise = c.depthwise}};
  shape.outputs = {{.channels = c.n,
                    .column_stride = pixel,
                    .row_stride = out_row,
                    .image_stride = out_row * (c.out_side() + 2),
                    .wide_column_stride = Padded(c.n),
                    .wide_row_stride = Padded(c.n) * c.out_side(),
                    .wide_image_stride = Padded(c.n) * c.m}};
  return shape;
}

class BraidContender final : public Contender {
 public:
  static Result<std::unique_ptr<Contender>> Make(const Problem& problem, kernels::Path path) {
    const Encoding encoding = kernels::EncodingFor(path, problem.input_kind);
    const ConvolutionShape shape = ShapeOf(problem.shape, path, encoding);
    const SystemClock clock;
    const TimePoint start = clock.Now();
    BRAID_ASSIGN_OR_RETURN(auto convolution, Convolution::Make(shape));
    const Duration code_time = clock.Now() - start;
    auto contender = std::make_unique<BraidContender>(problem, std::move(convolution));
    contender->code_time_ = code_time;
    return std::unique_ptr<Contender>(std::move(contender));
  }

  BraidContender(const Problem& problem, std::shared_ptr<const Convolution> convolution)
      : problem_(problem), convolution_(std::move(convolution)) {
    const KernelCase& c = problem.shape;
    const ConvolutionShape& shape = convolution_->shape();
    row_ = (c.side + 2) * c.channels();
    out_row_ = (c.out_side() + 2) * c.channels();
    const int64_t map_bytes = c.convolution() ? row_ * (c.side + 2) : int64_t{c.m} * c.k;
    const int64_t output_bytes =
        c.convolution() ? out_row_ * (c.out_side() + 2) : int64_t{c.m} * c.n;
    const auto slack = static_cast<int64_t>(kernels::kReadSlackBytes);
    input_ = runtime::AlignedBuffer(map_bytes + slack);
    output_ = runtime::AlignedBuffer(output_bytes + slack);
    wide_ = runtime::AlignedBuffer(Padded(c.n) * c.m * 4);
    tile_ = runtime::AlignedBuffer(
        static_cast<int64_t>(kernels::TileBytes(shape.path, shape.sources[0], c.n)));
    kernels::PackTile(shape.path, shape.sources[0], c.n, problem.weights.data(), tile_.data());
    FillInput(shape.sources[0].encoding, map_bytes);
    FillTable();
    ConvolutionMemory memory;
    memory.maps = {reinterpret_cast<const uint8_t*>(input_.data())};
    memory.tiles = {tile_.data()};
    memory.outputs = {reinterpret_cast<uint8_t*>(output_.data()) + FirstPixel(out_row_)};
    memory.wide = {reinterpret_cast<int32_t*>(wide_.data())};
    memory.shortcuts = {nullptr};
    memory.tables = {table_.data()};
    bound_ = convolution_->Bind(memory);
  }

  void Run() override {
    bound_.Run({0, 1}, {0, problem_.shape.convolution() ? problem_.shape.out_side() : 1});
  }

  std::vector<uint8_t> Output() const override {
    const KernelCase& c = problem_.shape;
    const auto* from = reinterpret_cast<const uint8_t*>(output_.data()) + FirstPixel(out_row_);
    std::vector<uint8_t> output(problem_.expected.size());
    const int rows = c.convolution() ? c.out_side() : 1;
    const auto bytes = output.size() / static_cast<size_t>(rows);
    for (int y = 0; y < rows; ++y) {
      std::memcpy(output.data() + static_cast<size_t>(y) * bytes, from + y * out_row_, bytes);
    }
    return output;
  }
  int tolerance() const override { return 0; }
  Duration code_time() const override { return code_time_; }

 private:
  // Where pixel (0, 0) lies behind the ring.
  int64_t FirstPixel(int64_t row_bytes) const {
    return problem_.shape.convolution() ? row_bytes + problem_.shape.channels() : 0;
  }

  void FillInput(Encoding encoding, int64_t bytes) {
    const KernelCase& c = problem_.shape;
    auto* to = reinterpret_cast<uint8_t*>(input_.data());
    std::memset(to, kernels::ZeroByte(encoding), static_cast<size_t>(bytes));
    const int rows = c.convolution() ? c.side : 1;
    const size_t row_bytes = problem_.input.size() / static_cast<size_t>(rows);
    const uint8_t flip = encoding == Encoding::kBiased ? 0x80 : 0;
    for (int y = 0; y < rows; ++y) {
      for (size_t i = 0; i < row_bytes; ++i) {
        to[FirstPixel(row_) + y * row_ + static_cast<int64_t>(i)] =
            problem_.input[static_cast<size_t>(y) * row_bytes + i] ^ flip;
      }
    }
  }

  void FillTable() {
    const KernelCase& c = problem_.shape;
    table_.resize(kernels::TableElements(c.n));
    for (int n = 0; n < c.n; ++n) {
      const auto channel = static_cast<size_t>(n);
      const auto set = [&](TableRow row, int32_t value) {
        table_[kernels::TableIndex(row, n)] = value;
      };
      const auto interval = kernels::ClampIntervalFor(problem_.mul[channel], true);
      set(TableRow::kBias, problem_.bias[channel]);
      set(TableRow::kMul, problem_.mul[channel]);
      set(TableRow::kLow, interval.low);
      set(TableRow::kHigh, interval.high);
    }
  }

  const Problem& problem_;
  const std::shared_ptr<const Convolution> convolution_;
  int64_t row_ = 0, out_row_ = 0;  // bytes from one row of a ringed map to the next
  runtime::AlignedBuffer input_, output_, wide_, tile_;
  std::vector<int32_t> table_;
  kernels::BoundConvolution bound_;
  Duration code_time_{};
};

}  // namespace

Library BraidLibrary() {
  return {.name = "braid",
          .version = BRAID_VERSION,
          .why_absent = "",
          .make = [](const Problem& problem, kernels::Path path) {
            return BraidContender::Make(problem, path);
          }};
}

}  // namespace braid::bench
