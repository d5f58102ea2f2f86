#include "braid/training/restoration/patches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <utility>

#include "braid/base/rng.h"

namespace braid::training {
namespace {

data::DegradedSet Noise(int images, int height, int width, std::vector<int> factors = {2, 3, 4}) {
  data::LumaSet set;
  set.name = "noise";
  Rng rng(5);
  for (int i = 0; i < images; ++i) {
    data::LumaImage image{"image", height, width, {}};
    for (int p = 0; p < height * width; ++p) {
      image.pixels.push_back(static_cast<uint8_t>(rng.Next()));
    }
    set.images.push_back(std::move(image));
  }
  return data::ReducedSet(std::move(set), std::move(factors));
}

struct Filled {
  std::vector<uint8_t> degraded, original;
};

Filled Fill(const Patches& patches, int step, const Patches::Options& options) {
  const auto size = static_cast<size_t>(options.batch * options.side * options.side);
  Filled filled{std::vector<uint8_t>(size), std::vector<uint8_t>(size)};
  patches.Fill(step, filled.degraded, filled.original);
  return filled;
}

TEST(PatchesTest, AreAFunctionOfSeedAndStep) {
  const data::DegradedSet set = Noise(3, 40, 52);
  Patches::Options options;
  options.side = 16;
  options.batch = 4;
  const auto patches = Patches::Make(set, options);
  ASSERT_TRUE(patches.ok()) << patches.status().ToString();
  const Filled first = Fill(*patches, 7, options);
  Fill(*patches, 8, options);
  EXPECT_EQ(Fill(*patches, 7, options).degraded, first.degraded);
  EXPECT_NE(Fill(*patches, 8, options).degraded, first.degraded);
  options.seed = 2;
  const auto other = Patches::Make(set, options);
  ASSERT_TRUE(other.ok());
  EXPECT_NE(Fill(*other, 7, options).degraded, first.degraded);
}

// Every patch is a square of a degraded image in one of the eight orientations, and its original
// the same square: found again by search.
TEST(PatchesTest, PairADegradedSquareWithItsOriginal) {
  const data::DegradedSet set = Noise(1, 24, 26, {2});
  Patches::Options options;
  options.side = 16;
  options.batch = 16;
  const auto patches = Patches::Make(set, options);
  ASSERT_TRUE(patches.ok()) << patches.status().ToString();
  const auto [degraded, original] = data::PairOf(set, 0, 0);
  std::set<int> orientations;
  for (int i = 0; i < 4 * options.batch; ++i) {
    const Filled filled = Fill(*patches, i / options.batch, options);
    const int n = i % options.batch;
    int found = -1;
    for (int place = 0; place < 9 * 11 * 8 && found < 0; ++place) {
      const int y0 = place / 8 / 11, x0 = place / 8 % 11, orientation = place % 8;
      bool equal = true;
      for (int y = 0; y < 16 && equal; ++y) {
        for (int x = 0; x < 16 && equal; ++x) {
          int v = (orientation & 1) != 0 ? 15 - y : y;
          int u = (orientation & 2) != 0 ? 15 - x : x;
          if ((orientation & 4) != 0) std::swap(v, u);
          const auto at = static_cast<size_t>((n * 16 + y) * 16 + x);
          const size_t from = original.Row(y0 + v) + static_cast<size_t>(x0 + u);
          equal = filled.original[at] == original.pixels[from] &&
                  filled.degraded[at] == degraded.pixels[from];
        }
      }
      if (equal) found = orientation;
    }
    ASSERT_GE(found, 0) << "patch " << i;
    orientations.insert(found);
  }
  EXPECT_EQ(orientations.size(), 8u);
}

TEST(PatchesTest, RefusesImagesThatAreTooSmallOrTooFew) {
  Patches::Options options;
  options.side = 41;
  EXPECT_EQ(Patches::Make(Noise(1, 40, 80), options).status().code(), StatusCode::kInvalidArgument);
  options.batch = 100;
  EXPECT_EQ(Patches::Make(Noise(1, 48, 48), options).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace braid::training
