// Pools and the range check: every path equals the reference; the reference equals worked examples.
#include <gtest/gtest.h>

#include "braid/kernels/kernel_set.h"
#include "braid/kernels/range.h"
#include "braid/kernels/testing/random_case.h"

namespace braid::kernels {
namespace {

// A pool over a map inside of a ring, in the encoding of `path`; results decoded.
struct Pooled {
  std::vector<uint8_t> largest;  // [n, rows, columns, channels]
  std::vector<int32_t> sums;
  bool operator==(const Pooled&) const = default;
};

Pooled PoolOn(Path path, const WindowGeometry& g, int n, const std::vector<uint8_t>& input) {
  const Encoding encoding = EncodingFor(path, g.input_kind);
  const int64_t ringed_h = int64_t{g.out_h - 1} * g.stride_h + g.kernel_h + g.in_h;
  const int64_t ringed_w = int64_t{g.out_w - 1} * g.stride_w + g.kernel_w + g.in_w;
  std::vector<uint8_t> map(static_cast<size_t>(n * ringed_h * ringed_w * g.channels) +
                               kReadSlackBytes,
                           ZeroByte(encoding));
  for (int64_t i = 0; i < n * g.InputElements(); ++i) {
    const int64_t c = i % g.channels, x = i / g.channels % g.in_w;
    const int64_t y = i / g.channels / g.in_w % g.in_h, image = i / g.InputElements();
    map[static_cast<size_t>(
        ((image * ringed_h + y + g.pad_top) * ringed_w + x + g.pad_left) * g.channels + c)] =
        static_cast<uint8_t>(input[static_cast<size_t>(i)] + ZeroByte(encoding));
  }
  PoolShape shape;
  shape.rows = g.out_h;
  shape.columns = g.out_w;
  shape.source = {.encoding = encoding,
                  .channels = g.channels,
                  .kernel_h = g.kernel_h,
                  .kernel_w = g.kernel_w,
                  .tap_stride_w = g.channels,
                  .tap_stride_h = ringed_w * g.channels,
                  .column_stride = int64_t{g.stride_w} * g.channels,
                  .row_stride = g.stride_h * ringed_w * g.channels,
                  .image_stride = ringed_h * ringed_w * g.channels};
  const int64_t wide = PaddedChannels(g.channels);
  shape.output = {.channels = g.channels,
                  .column_stride = g.channels,
                  .row_stride = int64_t{g.out_w} * g.channels,
                  .image_stride = g.OutputPixels() * g.channels,
                  .wide_column_stride = wide,
                  .wide_row_stride = g.out_w * wide,
                  .wide_image_stride = g.OutputPixels() * wide};
  Pooled result;
  result.largest.assign(static_cast<size_t>(n * g.OutputPixels() * g.channels), 0xee);
  result.sums.assign(static_cast<size_t>(n * g.OutputPixels() * wide), 0x5a5a5a5a);
  KernelsFor(path).max_pool(shape, n, map.data(), result.largest.data());
  KernelsFor(path).sum_pool(shape, n, map.data(), result.sums.data());
  for (uint8_t& byte : result.largest) byte = static_cast<uint8_t>(byte - ZeroByte(encoding));
  for (size_t i = 0; i < result.sums.size(); ++i) {
    if (static_cast<int64_t>(i) % wide >= g.channels) result.sums[i] = 0;
  }
  return result;
}

TEST(PoolingTest, EveryPathEqualsTheReference) {
  for (const Path path : SupportedPaths()) {
    for (uint64_t seed = 0; seed < 300; ++seed) {
      Rng rng(seed);
      const ElementKind kind = seed % 2 == 0 ? ElementKind::kU7 : ElementKind::kS8;
      const WindowGeometry g = testing::RandomWindow(rng, kind, 17, 65);
      const int n = static_cast<int>(rng.Between(0, 3));
      const std::vector<uint8_t> input =
          testing::RandomBytes(rng, kind, n * g.InputElements(), kReadSlackBytes);
      ASSERT_EQ(PoolOn(path, g, n, input), PoolOn(Path::kScalar, g, n, input))
          << PathName(path) << " seed " << seed;
    }
  }
}

TEST(ReferencePoolingTest, CountsThePaddingAsZero) {
  const WindowGeometry g{.in_h = 2,
                         .in_w = 2,
                         .channels = 1,
                         .out_h = 1,
                         .out_w = 2,
                         .kernel_h = 2,
                         .kernel_w = 2,
                         .stride_w = 2,
                         .input_kind = ElementKind::kS8};
  std::vector<uint8_t> input = {static_cast<uint8_t>(-3), static_cast<uint8_t>(-5),
                                static_cast<uint8_t>(-7), static_cast<uint8_t>(-9)};
  const Pooled pooled = PoolOn(Path::kScalar, g, 1, input);
  // The second window lies outside of the map as a whole.
  EXPECT_EQ(pooled.largest, (std::vector<uint8_t>{static_cast<uint8_t>(-3), 0}));
  EXPECT_EQ(pooled.sums[0], -24);
  EXPECT_EQ(pooled.sums[kLanes], 0);
}

TEST(RangeTest, FindsTheOneByteThatLeavesItsKind) {
  for (size_t size : {1, 2, 31, 32, 33, 64, 65, 100}) {
    std::vector<uint8_t> bytes(size, 127);
    EXPECT_TRUE(InRange(bytes, ElementKind::kU7));
    EXPECT_TRUE(InRange(bytes, ElementKind::kS8));
    for (size_t at : {size_t{0}, size / 2, size - 1}) {
      const uint8_t before = bytes[at];
      bytes[at] = 0x81;  // -127
      EXPECT_FALSE(InRange(bytes, ElementKind::kU7));
      EXPECT_TRUE(InRange(bytes, ElementKind::kS8));
      bytes[at] = 0x80;  // -128
      EXPECT_FALSE(InRange(bytes, ElementKind::kU7));
      EXPECT_FALSE(InRange(bytes, ElementKind::kS8));
      bytes[at] = before;
    }
  }
  EXPECT_TRUE(InRange({}, ElementKind::kS8));
  EXPECT_FALSE(InRange({}, ElementKind::kWide));
}

}  // namespace
}  // namespace braid::kernels
