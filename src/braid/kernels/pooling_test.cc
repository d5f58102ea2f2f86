// Pools and the range check: every path equals the reference; the reference equals worked examples.
#include <gtest/gtest.h>

#include "braid/kernels/kernel_set.h"
#include "braid/kernels/range.h"
#include "braid/kernels/testing/random_case.h"

namespace braid::kernels {
namespace {

std::vector<uint8_t> Max(const KernelSet& kernels, const WindowGeometry& g, int n,
                         const std::vector<uint8_t>& input) {
  std::vector<uint8_t> output(static_cast<size_t>(n * g.OutputPixels() * g.channels), 0xee);
  kernels.max_pool(g, n, input.data(), output.data());
  return output;
}

std::vector<int32_t> Sum(const KernelSet& kernels, const WindowGeometry& g, int n,
                         const std::vector<uint8_t>& input) {
  const int stride = PaddedChannels(g.channels);
  std::vector<int32_t> sums(static_cast<size_t>(n * g.OutputPixels() * stride), 0x5a5a5a5a);
  kernels.sum_pool(g, n, input.data(), sums.data());
  for (size_t i = 0; i < sums.size(); ++i) {
    if (static_cast<int>(i % static_cast<size_t>(stride)) >= g.channels) sums[i] = 0;
  }
  return sums;
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
      const KernelSet& scalar = KernelsFor(Path::kScalar);
      ASSERT_EQ(Max(KernelsFor(path), g, n, input), Max(scalar, g, n, input))
          << PathName(path) << " seed " << seed;
      ASSERT_EQ(Sum(KernelsFor(path), g, n, input), Sum(scalar, g, n, input))
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
  input.resize(input.size() + kReadSlackBytes, 99);
  const KernelSet& scalar = KernelsFor(Path::kScalar);
  // The second window lies outside of the map as a whole.
  EXPECT_EQ(Max(scalar, g, 1, input), (std::vector<uint8_t>{static_cast<uint8_t>(-3), 0}));
  EXPECT_EQ(Sum(scalar, g, 1, input)[0], -24);
  EXPECT_EQ(Sum(scalar, g, 1, input)[kLanes], 0);
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
