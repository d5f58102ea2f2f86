// The proof of the requantization, over every multiplier, and the paths' equality with it.
#include "braid/kernels/requantization.h"

#include <gtest/gtest.h>

#include <limits>

#include "braid/base/rng.h"
#include "braid/kernels/kernel_set.h"
#include "braid/kernels/reference/requantization.h"
#include "braid/kernels/testing/random_case.h"

namespace braid::kernels {
namespace {

constexpr int32_t kInt32Max = std::numeric_limits<int32_t>::max();
constexpr int32_t kInt32Min = std::numeric_limits<int32_t>::min();

TEST(RequantizationTest, ReachesBothBoundsWithoutOverflowForEveryMultiplier) {
  for (int32_t m = 1; m <= kMaxMultiplier; ++m) {
    const int64_t h = ClampFor(m);
    const int64_t top = h * m + (int64_t{1} << 23);
    const int64_t bottom = -h * m + (int64_t{1} << 23);
    if (top > kInt32Max || top >> 24 != 127 || bottom >> 24 != -127) FAIL() << "m " << m;
  }
}

TEST(RequantizationTest, MapsExtremeValuesToTheBounds) {
  for (const int32_t mul :
       {1, 2, 3, 127, 128, 1 << 12, (1 << 23) + 1, kMaxMultiplier - 1, kMaxMultiplier}) {
    for (const int32_t value : {kInt32Min, -kInt32Max, kInt32Max}) {
      const int sign = value < 0 ? -1 : 1;
      EXPECT_EQ(reference::RequantizeValue(value, mul, ClampIntervalFor(mul, false)), 127 * sign);
      EXPECT_EQ(reference::RequantizeValue(value, -mul, ClampIntervalFor(-mul, false)),
                -127 * sign);
      EXPECT_EQ(reference::RequantizeValue(value, mul, ClampIntervalFor(mul, true)),
                sign > 0 ? 127 : 0);
      EXPECT_EQ(reference::RequantizeValue(value, -mul, ClampIntervalFor(-mul, true)),
                sign < 0 ? 127 : 0);
    }
  }
  EXPECT_EQ(reference::RequantizeValue(kInt32Min, 0, ClampIntervalFor(0, false)), 0);
  EXPECT_EQ(reference::RequantizeValue(kInt32Max, 0, ClampIntervalFor(0, true)), 0);
}

TEST(RequantizationTest, RoundsHalfUpwards) {
  constexpr int32_t kQuarter = 1 << 22;
  const auto quarter_of = [](int32_t v) {
    return reference::RequantizeValue(v, kQuarter, ClampIntervalFor(kQuarter, false));
  };
  EXPECT_EQ(quarter_of(5), 1);
  EXPECT_EQ(quarter_of(6), 2);
  EXPECT_EQ(quarter_of(-6), -1);
  EXPECT_EQ(quarter_of(-7), -2);
}

struct Tables {
  std::vector<int32_t> bias, mul, low, high, shortcut_mul;
  Epilogue epilogue;
};

Tables RandomTables(Rng& rng, int channels, bool relu, bool shortcut) {
  static constexpr int32_t kMultipliers[] = {
      0, 1, -1, 2, 3, -7, kMaxMultiplier, -kMaxMultiplier, kMaxMultiplier - 1, 1 << 16};
  Tables t;
  const auto padded = static_cast<size_t>(PaddedChannels(channels));
  for (auto* table : {&t.bias, &t.mul, &t.low, &t.high, &t.shortcut_mul}) table->assign(padded, 0);
  t.epilogue.shortcut_clamp = static_cast<int32_t>(rng.Between(0, 1 << 20));
  t.epilogue.shortcut_shift = static_cast<int32_t>(rng.Between(1, 29));
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    t.bias[c] = static_cast<int32_t>(rng.Between(-(1 << 28), 1 << 28));
    t.mul[c] = rng.Below(2) == 0
                   ? kMultipliers[rng.Below(std::size(kMultipliers))]
                   : static_cast<int32_t>(rng.Between(-kMaxMultiplier, kMaxMultiplier));
    const ClampInterval interval = ClampIntervalFor(t.mul[c], relu);
    t.low[c] = interval.low;
    t.high[c] = interval.high;
    t.shortcut_mul[c] = static_cast<int32_t>(rng.Between(-1000, 1000));
  }
  t.epilogue.channels = channels;
  t.epilogue.bias = t.bias.data();
  t.epilogue.mul = t.mul.data();
  t.epilogue.low = t.low.data();
  t.epilogue.high = t.high.data();
  t.epilogue.shortcut_mul = shortcut ? t.shortcut_mul.data() : nullptr;
  t.epilogue.keep_wide = rng.Below(2) == 0;
  return t;
}

TEST(RequantizationTest, EveryPathEqualsTheReference) {
  for (const Path path : SupportedPaths()) {
    for (uint64_t seed = 0; seed < 400; ++seed) {
      Rng rng(seed);
      const int channels = testing::RandomSize(rng, 65);
      const int stride = PaddedChannels(channels);
      const auto pixels = static_cast<int64_t>(rng.Below(20));
      const Tables tables = RandomTables(rng, channels, seed % 2 == 0, seed % 3 == 0);
      std::vector<int32_t> sums(static_cast<size_t>(pixels * stride)), shortcut(sums.size());
      for (size_t i = 0; i < sums.size(); ++i) {
        const int64_t range = rng.Below(2) == 0 ? 1 << 29 : 1 << 10;
        sums[i] = static_cast<int32_t>(rng.Between(-range, range));
        shortcut[i] = static_cast<int32_t>(rng.Between(kInt32Min, kInt32Max));
      }
      std::vector<int32_t> expected_sums = sums;
      std::vector<uint8_t> expected(static_cast<size_t>(pixels * channels)), seen(expected.size());
      reference::Requantize(tables.epilogue, pixels, expected_sums.data(), shortcut.data(),
                            expected.data());
      KernelsFor(path).requantize(tables.epilogue, pixels, sums.data(), shortcut.data(),
                                  seen.data());
      ASSERT_EQ(seen, expected) << PathName(path) << " seed " << seed;
      for (size_t i = 0; i < sums.size(); ++i) {
        if (static_cast<int>(i % static_cast<size_t>(stride)) >= channels) continue;
        ASSERT_EQ(sums[i], expected_sums[i]) << PathName(path) << " seed " << seed;
      }
    }
  }
}

TEST(LogitsRescaleTest, ClampsThenScalesPerClassAndSurvivesAnySum) {
  const std::vector<int32_t> bias = {10, -kInt32Max};
  const std::vector<int32_t> mul = {3, -2};
  const LogitsRescale rescale{
      .classes = 2, .bias = bias.data(), .mul = mul.data(), .clamp = 1000, .shift = 2};
  // (10 + 5)*3 = 45 -> (45 + 2) >> 2 = 11; the second class's sum wraps around to 2^31 - 1.
  std::vector<int32_t> sums = {5, -2, 2'000'000'000, 0};
  reference::RescaleLogits(rescale, sums);
  EXPECT_EQ(sums, (std::vector<int32_t>{11, -500, 750, 500}));
}

}  // namespace
}  // namespace braid::kernels
