#include "braid/bench/ladder.h"

#include <cstring>

#include "braid/kernels/convolution/convolution.h"
#include "braid/kernels/kernel_set.h"
#include "braid/runtime/aligned_buffer.h"

namespace braid::bench {
namespace {

using kernels::Path;
using kernels::TableRow;
using runtime::AlignedBuffer;

constexpr auto kSlack = static_cast<int64_t>(kernels::kReadSlackBytes);

// [m,k] u7 x [n,k] s8 -> sums [m,stride], as a compiler vectorizes it.
[[gnu::always_inline]] inline void Products(const KernelCase& c, const uint8_t* input,
                                            const int8_t* weights, int64_t stride, int32_t* sums) {
  for (int row = 0; row < c.m; ++row) {
    for (int channel = 0; channel < c.n; ++channel) {
      const uint8_t* a = input + int64_t{row} * c.k;
      const int8_t* w = weights + int64_t{channel} * c.k;
      int32_t sum = 0;
      for (int i = 0; i < c.k; ++i) sum += a[i] * w[i];
      sums[row * stride + channel] = sum;
    }
  }
}

using Loops = void (*)(const KernelCase&, const uint8_t*, const int8_t*, int64_t, int32_t*);

Loops CompiledLoops() {
#if defined(__x86_64__)
  if (kernels::PathSupported(Path::kAvx2)) {
    return [](const KernelCase& c, const uint8_t* input, const int8_t* weights, int64_t stride,
              int32_t* sums) __attribute__((target("avx2"), optimize("O3"))) {
      Products(c, input, weights, stride, sums);
    };
  }
#endif
  return [](const KernelCase& c, const uint8_t* input, const int8_t* weights, int64_t stride,
            int32_t* sums) { Products(c, input, weights, stride, sums); };
}

enum class Way : uint8_t { kLoops, kApart, kFused };

// The case as a product over a matrix; that of a convolution is made in each run.
class MatrixContender final : public Contender {
 public:
  static Result<std::unique_ptr<Contender>> Make(const Problem& problem, Way way, Path path) {
    const KernelCase& c = problem.shape;
    kernels::ConvolutionShape shape = kernels::ProductShape(
        path, c.m, c.n, c.k, kernels::EncodingFor(path, problem.input_kind), c.k, c.n);
    if (way != Way::kFused) shape.finish = kernels::Finish::kWide;
    BRAID_ASSIGN_OR_RETURN(auto product, kernels::Convolution::Make(shape));
    return std::unique_ptr<Contender>(
        std::make_unique<MatrixContender>(problem, way, path, std::move(product)));
  }

  MatrixContender(const Problem& problem, Way way, Path path,
                  std::shared_ptr<const kernels::Convolution> product)
      : problem_(problem),
        way_(way),
        kernels_(kernels::KernelsFor(path)),
        product_(std::move(product)),
        stride_(kernels::PaddedChannels(problem.shape.n)) {
    const KernelCase& c = problem.shape;
    const kernels::SourceShape& source = product_->shape().sources[0];
    if (c.convolution()) {
      // A ring of zeros, so that no row of taps asks where the map ends.
      const int64_t row = int64_t{c.side} * c.channels();
      map_ = AlignedBuffer(RingedRow() * (c.side + 2));
      for (int y = 0; y < c.side; ++y) {
        std::memcpy(map_.data() + (y + 1) * RingedRow() + c.channels(),
                    problem.input.data() + y * row, static_cast<size_t>(row));
      }
    }
    matrix_ = AlignedBuffer(int64_t{c.m} * c.k + kSlack);
    if (!c.convolution()) std::memcpy(matrix_.data(), problem.input.data(), problem.input.size());
    sums_ = AlignedBuffer(c.m * stride_ * 4);
    output_ = AlignedBuffer(int64_t{c.m} * c.n + kSlack);
    tile_ = AlignedBuffer(static_cast<int64_t>(kernels::TileBytes(path, source, c.n)));
    kernels::PackTile(path, source, c.n, problem.weights.data(), tile_.data());
    FillTables();
    kernels::ConvolutionMemory memory;
    memory.maps = {Bytes(matrix_)};
    memory.tiles = {tile_.data()};
    memory.outputs = {Bytes(output_)};
    memory.wide = {Sums()};
    memory.shortcuts = {nullptr};
    memory.tables = {table_.data()};
    bound_ = product_->Bind(memory);
  }

  void Run() override {
    const KernelCase& c = problem_.shape;
    if (c.convolution()) Unroll();
    if (way_ == Way::kLoops) {
      CompiledLoops()(c, Bytes(matrix_), problem_.weights.data(), stride_, Sums());
    } else {
      bound_.Run({0, 1}, {0, 1});
    }
    if (way_ != Way::kFused) {
      kernels_.requantize(epilogue_, c.m, Sums(), nullptr, Bytes(output_));
    }
  }
  std::vector<uint8_t> Output() const override {
    return {Bytes(output_), Bytes(output_) + problem_.expected.size()};
  }
  int tolerance() const override { return 0; }

 private:
  static uint8_t* Bytes(const AlignedBuffer& buffer) {
    return reinterpret_cast<uint8_t*>(buffer.data());
  }
  int32_t* Sums() const { return reinterpret_cast<int32_t*>(sums_.data()); }
  int64_t RingedRow() const { return int64_t{problem_.shape.side + 2} * problem_.shape.channels(); }

  // Three rows of three taps for each pixel, each row's bytes side by side in the map.
  void Unroll() {
    const KernelCase& c = problem_.shape;
    const int64_t taps = int64_t{3} * c.channels();
    std::byte* to = matrix_.data();
    for (int y = 0; y < c.side; ++y) {
      for (int x = 0; x < c.side; ++x) {
        for (int ky = 0; ky < 3; ++ky, to += taps) {
          std::memcpy(to, map_.data() + (y + ky) * RingedRow() + int64_t{x} * c.channels(),
                      static_cast<size_t>(taps));
        }
      }
    }
  }

  void FillTables() {
    const auto n = static_cast<size_t>(problem_.shape.n);
    table_.resize(kernels::TableElements(problem_.shape.n));
    for (auto* row : {&bias_, &mul_, &low_, &high_}) row->resize(static_cast<size_t>(stride_));
    for (size_t i = 0; i < n; ++i) {
      const auto interval = kernels::ClampIntervalFor(problem_.mul[i], true);
      bias_[i] = problem_.bias[i];
      mul_[i] = problem_.mul[i];
      low_[i] = interval.low;
      high_[i] = interval.high;
      const auto set = [&](TableRow row, int32_t value) {
        table_[kernels::TableIndex(row, static_cast<int>(i))] = value;
      };
      set(TableRow::kBias, bias_[i]);
      set(TableRow::kMul, mul_[i]);
      set(TableRow::kLow, low_[i]);
      set(TableRow::kHigh, high_[i]);
    }
    epilogue_.channels = problem_.shape.n;
    epilogue_.bias = bias_.data();
    epilogue_.mul = mul_.data();
    epilogue_.low = low_.data();
    epilogue_.high = high_.data();
  }

  const Problem& problem_;
  const Way way_;
  const kernels::KernelSet& kernels_;
  const std::shared_ptr<const kernels::Convolution> product_;
  const int64_t stride_;  // elements from one row of sums to the next
  AlignedBuffer map_, matrix_, sums_, output_, tile_;
  std::vector<int32_t> table_, bias_, mul_, low_, high_;
  kernels::Epilogue epilogue_;
  kernels::BoundConvolution bound_;
};

}  // namespace

Result<std::vector<LadderStep>> MakeLadder(const Problem& problem) {
  std::vector<LadderStep> steps;
  const auto add = [&](const std::string& name,
                       Result<std::unique_ptr<Contender>> contender) -> Status {
    if (!contender.ok()) return contender.status().WithContext(name);
    steps.push_back({name, std::move(contender).value()});
    return OkStatus();
  };
  const Path best = kernels::BestPath();
  const std::string best_name(kernels::PathName(best));
  BRAID_RETURN_IF_ERROR(add("interpreter", BraidLibrary().make(problem, Path::kScalar)));
  BRAID_RETURN_IF_ERROR(add("compiled loops", MatrixContender::Make(problem, Way::kLoops, best)));
  for (const Path path : kernels::SupportedPaths()) {
    if (path == Path::kScalar) continue;
    BRAID_RETURN_IF_ERROR(add(std::string(kernels::PathName(path)) + ", apart",
                              MatrixContender::Make(problem, Way::kApart, path)));
  }
  BRAID_RETURN_IF_ERROR(
      add(best_name + ", fused", MatrixContender::Make(problem, Way::kFused, best)));
  if (problem.shape.convolution()) {
    BRAID_RETURN_IF_ERROR(add(best_name + ", direct", BraidLibrary().make(problem, best)));
  }
  return steps;
}

}  // namespace braid::bench
