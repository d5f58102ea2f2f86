// Bounds of accumulators and rescales, against what can happen.
#include "braid/model/accumulator_bounds.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "braid/base/rng.h"
#include "braid/model/integer_bounds.h"
#include "braid/model/test_network.h"

namespace braid::model {
namespace {

// The inputs that drive a sum furthest up: the largest magnitude, with the sign of the weight.
int64_t WorstSum(const Layer& layer, int channel, int per_channel, int inputs, int first, int last,
                 int magnitude) {
  int64_t sum = 0;
  for (int i = 0; i < per_channel; ++i) {
    const int input = i % inputs;
    if (input < first || input >= last) continue;
    const int weight = layer.weights[static_cast<size_t>(channel * per_channel + i)];
    sum += weight * (weight < 0 ? -magnitude : magnitude);
  }
  return sum;
}

TEST(AccumulatorBoundsTest, EqualTheWorstSum) {
  const Network network = MakeTestNetwork();
  const Layer& first = network.layers[kTestFirst];
  const AccumulatorBounds from_image(network, first);
  for (int c = 0; c < 8; ++c) {
    EXPECT_EQ(from_image.Products(c, GroupSet(1)), WorstSum(first, c, 9, 1, 0, 1, 128));
  }
  const Layer& dense = network.layers[kTestDense];
  const AccumulatorBounds cross(network, dense);
  const Layer& last = network.layers[kTestLast];
  const AccumulatorBounds head(network, last);
  for (int c = 0; c < 12; ++c) {
    EXPECT_EQ(cross.Products(c, GroupSet(1)), WorstSum(dense, c, 8, 8, 0, 4, 127));
    EXPECT_EQ(cross.Products(c, GroupSet(2)), WorstSum(dense, c, 8, 8, 4, 8, 127));
    EXPECT_EQ(cross.Products(c, GroupSet(3)), WorstSum(dense, c, 8, 8, 0, 8, 127));
  }
  for (int c = 0; c < 3; ++c) {
    EXPECT_EQ(head.Products(c, GroupSet(2)), WorstSum(last, c, 12, 12, 4, 12, 127));
  }
}

TEST(AccumulatorBoundsTest, SumTheWindowOfAPool) {
  const Network network = MakeTestNetwork();
  const AccumulatorBounds bounds(network, network.layers[kTestSum]);
  EXPECT_EQ(bounds.Products(0, GroupSet(1)), 9 * 127);
  EXPECT_EQ(bounds.Products(0, GroupSet(3)), 9 * 127) << "a pool reads its own channel only";
  EXPECT_EQ(bounds.Products(11, GroupSet(2)), 9 * 127);
}

TEST(IntegerBoundsTest, ARescaleNeverExceedsItsBound) {
  Rng rng(11);
  for (int i = 0; i < 200000; ++i) {
    const auto clamp = static_cast<int32_t>(rng.Next() >> (33 + rng.Below(31)));
    const auto mul = static_cast<int32_t>(static_cast<int64_t>(rng.Next()) >> (32 + rng.Below(31)));
    const int shift = static_cast<int>(rng.Between(kMinRescaleShift, kMaxRescaleShift));
    if (!RescaleFits(clamp, mul, shift)) continue;
    const int64_t half = int64_t{1} << (shift - 1);
    const int64_t bound = RescaleBound(clamp, mul, shift);
    int64_t reached = 0;
    for (const int64_t u : {int64_t{clamp}, -int64_t{clamp}}) {
      const int64_t shifted = u * mul + half;
      ASSERT_LE(shifted, kMaxS32);
      ASSERT_GE(shifted, -kMaxS32 - 1);
      reached = std::max(reached, std::abs(shifted >> shift));
    }
    ASSERT_EQ(reached, bound) << clamp << " " << mul << " " << shift;
  }
}

TEST(IntegerBoundsTest, FitsUpToTheLastUnit) {
  EXPECT_TRUE(RescaleFits(1 << 30, 1, 30));
  EXPECT_TRUE(RescaleFits(static_cast<int32_t>(kMaxS32 - (1 << 29)), -1, 30));
  EXPECT_FALSE(RescaleFits(static_cast<int32_t>(kMaxS32 - (1 << 29) + 1), -1, 30));
  EXPECT_FALSE(RescaleFits(1, static_cast<int32_t>(kMaxS32), 1));
  EXPECT_FALSE(RescaleFits(static_cast<int32_t>(kMaxS32), std::numeric_limits<int32_t>::min(), 1));
}

}  // namespace
}  // namespace braid::model
