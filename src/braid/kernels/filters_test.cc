// Convolutions whose filters read few channels: every path equals the sum written out.
#include <gtest/gtest.h>

#include "braid/kernels/kernel_set.h"
#include "braid/kernels/testing/random_case.h"

namespace braid::kernels {
namespace {

constexpr int32_t kUntouched = 0x5a5a5a5a;

struct FilterCase {
  WindowGeometry window;  // channels: of the input
  int blocks = 1, outputs_of_block = 1;
  std::vector<uint8_t> ringed;  // the map inside of a ring of zeros, kU7 or kS8
  int64_t ringed_w = 0, image = 0;
  std::vector<int8_t> weights;  // [kernel_h, kernel_w, filter_channels, outputs]
  int filter_channels() const { return window.channels / blocks; }
  int outputs() const { return blocks * outputs_of_block; }
};

FilterCase RandomCase(uint64_t seed) {
  Rng rng(seed);
  FilterCase c;
  const ElementKind kind = seed % 2 == 0 ? ElementKind::kU7 : ElementKind::kS8;
  c.window = testing::RandomWindow(rng, kind, 9, 1);
  c.window.channels = static_cast<int>(rng.Between(1, 5));
  c.blocks = testing::RandomSize(rng, 33);
  c.window.channels *= c.blocks;
  c.outputs_of_block = static_cast<int>(rng.Between(1, 3));
  const WindowGeometry& g = c.window;
  const int64_t ringed_h = int64_t{g.out_h - 1} * g.stride_h + g.kernel_h + g.in_h;
  c.ringed_w = int64_t{g.out_w - 1} * g.stride_w + g.kernel_w + g.in_w;
  c.image = ringed_h * c.ringed_w * g.channels;
  c.ringed = testing::RandomBytes(rng, kind, c.image, kReadSlackBytes);
  c.weights = testing::RandomWeights(
      rng, int64_t{g.kernel_h} * g.kernel_w * c.filter_channels() * c.outputs());
  return c;
}

// Sums of output rows [begin, end); the others keep kUntouched, and so do padding lanes.
std::vector<int32_t> SumsOn(Path path, const FilterCase& c, Range rows) {
  const WindowGeometry& g = c.window;
  const Encoding encoding = EncodingFor(path, g.input_kind);
  std::vector<uint8_t> map = c.ringed;
  for (uint8_t& byte : map) byte = static_cast<uint8_t>(byte + ZeroByte(encoding));
  const int64_t wide = PaddedChannels(c.outputs());
  FilterShape shape;
  shape.source = {.encoding = encoding,
                  .channels = g.channels,
                  .kernel_h = g.kernel_h,
                  .kernel_w = g.kernel_w,
                  .tap_stride_w = g.channels,
                  .tap_stride_h = c.ringed_w * g.channels,
                  .column_stride = int64_t{g.stride_w} * g.channels,
                  .row_stride = g.stride_h * c.ringed_w * g.channels,
                  .image_stride = c.image};
  shape.output = {.channels = c.outputs(),
                  .wide_column_stride = wide,
                  .wide_row_stride = wide * g.out_w,
                  .wide_image_stride = wide * g.out_w * g.out_h};
  shape.columns = g.out_w;
  shape.filter_channels = c.filter_channels();
  std::vector<int32_t> sums(static_cast<size_t>(shape.output.wide_image_stride), kUntouched);
  KernelsFor(path).filter_sums(shape, rows, map.data(), c.weights.data(), sums.data());
  for (size_t i = 0; i < sums.size(); ++i) {
    if (static_cast<int64_t>(i) % wide >= c.outputs()) sums[i] = kUntouched;
  }
  return sums;
}

std::vector<int32_t> WrittenOut(const FilterCase& c, Range rows) {
  const WindowGeometry& g = c.window;
  const int64_t wide = PaddedChannels(c.outputs());
  std::vector<int32_t> sums(static_cast<size_t>(wide * g.out_w * g.out_h), kUntouched);
  for (int64_t y = rows.begin; y < rows.end; ++y) {
    for (int64_t x = 0; x < g.out_w; ++x) {
      for (int o = 0; o < c.outputs(); ++o) {
        int64_t sum = 0;
        for (int k = 0; k < g.kernel_h * g.kernel_w; ++k) {
          const int64_t row = y * g.stride_h + k / g.kernel_w;
          const int64_t column = x * g.stride_w + k % g.kernel_w;
          for (int i = 0; i < c.filter_channels(); ++i) {
            const int64_t channel = o / c.outputs_of_block * c.filter_channels() + i;
            const auto at = static_cast<size_t>((row * c.ringed_w + column) * g.channels + channel);
            const auto weight = static_cast<size_t>((k * c.filter_channels() + i) * c.outputs() + o);
            sum += static_cast<int8_t>(c.ringed[at]) * c.weights[weight];
          }
        }
        sums[static_cast<size_t>((y * g.out_w + x) * wide + o)] = static_cast<int32_t>(sum);
      }
    }
  }
  return sums;
}

TEST(FilterSumsTest, EveryPathEqualsTheSumWrittenOut) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const FilterCase c = RandomCase(seed);
    const Range all{0, c.window.out_h}, part{c.window.out_h / 3, c.window.out_h / 2};
    for (const Path path : SupportedPaths()) {
      for (const Range rows : {all, part}) {
        ASSERT_EQ(SumsOn(path, c, rows), WrittenOut(c, rows)) << PathName(path) << " seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace braid::kernels
