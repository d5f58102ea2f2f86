#include "braid/bench/kernel_case.h"

#include <cmath>

#include "braid/base/rng.h"
#include "braid/kernels/reference/requantization.h"

namespace braid::bench {
namespace {

// The fixed shapes {M, N, K} of FBGEMM's bench/PackedRequantizeAcc32Benchmark.cc.
constexpr int kPublished[][3] = {
    {156800, 4, 36},  {156800, 8, 36}, {156800, 16, 36}, {1, 128, 512},   {1, 1024, 256},
    {1, 2048, 512},   {1, 4096, 1024}, {6, 256, 1024},   {6, 256, 2048},  {6, 512, 512},
    {6, 1024, 256},   {6, 2048, 256},  {6, 2048, 512},   {6, 4096, 256},  {6, 4096, 1024},
    {6, 4096, 2048},  {10, 2048, 256}, {10, 4096, 1024}, {20, 2048, 256}, {20, 4096, 1024},
    {102, 1024, 512}, {102, 2323, 256}, {102, 512, 256}, {1, 800, 3200},  {1, 800, 8000},
    {16, 256, 1500},  {16, 256, 1567}, {1, 128, 2876},   {16, 128, 1567}, {1, 128, 2722},
    {16, 256, 512}};
constexpr int kThin[][3] = {{784, 16, 144}, {256, 32, 288}};
constexpr int kSides[] = {32, 16, 8};
constexpr int kChannels[] = {16, 32, 64};
// {side, channels, stride}
constexpr int kDepthwise[][3] = {{32, 32, 1}, {16, 64, 1}, {8, 128, 1}, {32, 32, 2}, {16, 64, 2}};

// Position in the map of the case's `column` th factor of product row `row`, or -1 in the padding.
// A depthwise case's is that of channel 0.
int64_t InputIndex(const KernelCase& c, int row, int column) {
  if (!c.convolution()) return int64_t{row} * c.k + column;
  const int tap = c.depthwise ? column : column / c.channels();
  const int y = row / c.out_side() * c.stride + tap / 3 - 1;
  const int x = row % c.out_side() * c.stride + tap % 3 - 1;
  if (y < 0 || y >= c.side || x < 0 || x >= c.side) return -1;
  return (int64_t{y} * c.side + x) * c.channels() + (c.depthwise ? 0 : column % c.channels());
}

int32_t InputValue(const Problem& p, int64_t index) {
  const uint8_t byte = p.input[static_cast<size_t>(index)];
  return p.input_kind == ElementKind::kU7 ? byte : static_cast<int8_t>(byte);
}

// One row of the product, into `sums` [N].
void Accumulate(const Problem& p, int row, std::vector<int32_t>& sums) {
  const KernelCase& c = p.shape;
  if (c.depthwise) {
    for (int n = 0; n < c.n; ++n) {
      int32_t sum = 0;
      for (int k = 0; k < c.k; ++k) {
        const int64_t index = InputIndex(c, row, k);
        if (index >= 0) sum += InputValue(p, index + n) * p.weights[static_cast<size_t>(n * c.k + k)];
      }
      sums[static_cast<size_t>(n)] = sum;
    }
    return;
  }
  std::vector<int32_t> factors(static_cast<size_t>(c.k));
  for (int k = 0; k < c.k; ++k) {
    const int64_t index = InputIndex(c, row, k);
    factors[static_cast<size_t>(k)] = index < 0 ? 0 : InputValue(p, index);
  }
  for (int n = 0; n < c.n; ++n) {
    const int8_t* weights = p.weights.data() + int64_t{n} * c.k;
    int32_t sum = 0;
    for (int k = 0; k < c.k; ++k) sum += factors[static_cast<size_t>(k)] * weights[k];
    sums[static_cast<size_t>(n)] = sum;
  }
}

}  // namespace

const char* CaseSetName(CaseSet set) {
  switch (set) {
    case CaseSet::kPublished:
      return "published";
    case CaseSet::kThin:
      return "thin";
    case CaseSet::kConvolution:
      return "convolution";
    case CaseSet::kDepthwise:
      return "depthwise";
  }
  return "?";
}

std::string KernelCase::name() const {
  if (convolution()) {
    const std::string size = std::to_string(side);
    return (depthwise ? "depthwise3x3_" : "conv3x3_") + size + "x" + size + "x" +
           std::to_string(channels()) + (stride > 1 ? "_s" + std::to_string(stride) : "");
  }
  return "gemm_" + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
}

std::vector<KernelCase> AllCases() {
  std::vector<KernelCase> cases;
  const auto product = [](CaseSet set, const int (&size)[3]) {
    KernelCase c;
    c.set = set;
    c.m = size[0];
    c.n = size[1];
    c.k = size[2];
    return c;
  };
  for (const auto& size : kPublished) cases.push_back(product(CaseSet::kPublished, size));
  for (const auto& size : kThin) cases.push_back(product(CaseSet::kThin, size));
  for (const int side : kSides) {
    for (const int channels : kChannels) {
      cases.push_back(product(CaseSet::kConvolution, {side * side, channels, 9 * channels}));
      cases.back().side = side;
    }
  }
  for (const auto& [side, channels, stride] : kDepthwise) {
    cases.push_back(product(CaseSet::kDepthwise, {side / stride * (side / stride), channels, 9}));
    cases.back().side = side;
    cases.back().stride = stride;
    cases.back().depthwise = true;
  }
  return cases;
}

Problem MakeProblem(const KernelCase& shape, ElementKind input_kind, uint64_t seed) {
  Rng rng(seed);
  Problem p;
  p.shape = shape;
  p.input_kind = input_kind;
  const int64_t inputs =
      shape.convolution() ? int64_t{shape.side} * shape.side * shape.channels()
                          : int64_t{shape.m} * shape.k;
  const bool u7 = input_kind == ElementKind::kU7;
  for (int64_t i = 0; i < inputs; ++i) {
    p.input.push_back(static_cast<uint8_t>(rng.Between(u7 ? 0 : -127, 127)));
  }
  for (int64_t i = 0; i < int64_t{shape.n} * shape.k; ++i) {
    p.weights.push_back(static_cast<int8_t>(rng.Between(-127, 127)));
  }
  // A sum of K independent products has this deviation (uniform factors of both signs, or one).
  const double deviation = 73.3 * 73.3 * std::sqrt(static_cast<double>(shape.k));
  for (int n = 0; n < shape.n; ++n) {
    const double usual = 127.0 * kernels::kMaxMultiplier / (4 * deviation);
    p.mul.push_back(static_cast<int32_t>(usual * (0.8 + 0.4 * rng.Uniform())));
    p.bias.push_back(static_cast<int32_t>(rng.Between(0, static_cast<int64_t>(2 * deviation))));
  }
  std::vector<int32_t> sums(static_cast<size_t>(shape.n));
  for (int row = 0; row < shape.m; ++row) {
    Accumulate(p, row, sums);
    for (size_t n = 0; n < sums.size(); ++n) {
      p.expected.push_back(static_cast<uint8_t>(kernels::reference::RequantizeValue(
          sums[n] + p.bias[n], p.mul[n], kernels::ClampIntervalFor(p.mul[n], true))));
    }
  }
  return p;
}

}  // namespace braid::bench
