// Tiles give the answer of the whole image, bit for bit, and pixels follow their equation.
#include "braid/runtime/restorer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "braid/model/file.h"
#include "braid/model/restoration.h"
#include "braid/runtime/testing/direct_network.h"
#include "braid/runtime/testing/random_network.h"

namespace braid::runtime {
namespace {

using model::Network;
using testing::RandomPixels;
using testing::RestoringNetwork;

std::vector<uint8_t> Restored(const Network& network, const std::vector<uint8_t>& pixels,
                              int height, int width, const RestorerOptions& options) {
  auto restorer = Restorer::Make(network, network.points.back(), options);
  EXPECT_TRUE(restorer.ok()) << restorer.status().ToString();
  auto restored = (*restorer)->Restore(pixels, height, width);
  EXPECT_TRUE(restored.ok()) << restored.status().ToString();
  return *restored;
}

TEST(CutIntoTilesTest, AnswersEachPixelOnceAndFarFromInnerEdges) {
  for (const int size : {1, 9, 10, 11, 17, 100, 101}) {
    for (const int radius : {0, 1, 4}) {
      const int tile = 10;
      int done = 0;
      for (const TileSpan& span : CutIntoTiles(size, tile, radius)) {
        const int length = std::min(tile, size);
        EXPECT_EQ(span.begin, done);
        EXPECT_GE(span.start, 0);
        EXPECT_LE(span.start + length, size);
        EXPECT_LT(span.begin, span.end);
        if (span.start > 0) {
          EXPECT_GE(span.begin, span.start + radius);
        }
        if (span.start + length < size) {
          EXPECT_LE(span.end, span.start + length - radius);
        }
        done = span.end;
      }
      EXPECT_EQ(done, size) << size << " " << radius;
    }
  }
}

constexpr int kHeight = 25, kWidth = 33;

// The definition over the whole image at once, beside tiles of sizes from the smallest.
void ExpectTheDefinitionInTiles(const Network& network, const std::vector<int>& tiles) {
  ASSERT_TRUE(model::Validate(network).ok()) << model::Validate(network).ToString();
  const auto pixels = RandomPixels(7, network, 1);
  const auto head = static_cast<model::LayerIndex>(network.layers.size()) - 1;
  const int sub_network = network.points.back().terms.front();
  const auto logits = testing::DirectLogits(network, sub_network, head, pixels);
  std::vector<uint8_t> expected;
  std::set<int> added;
  for (size_t i = 0; i < pixels.size(); ++i) {
    expected.push_back(model::RestoredPixel(pixels[i], logits[i]));
    added.insert(expected.back() - pixels[i]);
  }
  ASSERT_GT(added.size(), 20u);  // the network does something
  for (const kernels::Path path : kernels::SupportedPaths()) {
    for (const int tile : tiles) {
      EXPECT_EQ(Restored(network, pixels, kHeight, kWidth, {.path = path, .tile = tile}), expected)
          << kernels::PathName(path) << " tile " << tile;
    }
  }
}

TEST(RestorerTest, GivesTheDefinitionOfTheWholeImageInTilesOfAnySize) {
  ExpectTheDefinitionInTiles(RestoringNetwork(3, 4, kHeight, kWidth),
                             {11, 12, 13, 20, 25, 26, 33, 64});
}

TEST(RestorerTest, TilesNetworksOfParallelBranches) {
  ExpectTheDefinitionInTiles(testing::BranchingNetwork(4, kHeight, kWidth), {15, 16, 25, 40});
}

TEST(RestorerTest, TakesImagesOfOtherSizesThanTheFileSays) {
  const Network small = RestoringNetwork(3, 4, 8, 9);
  for (const auto& [height, width] : {std::pair(1, 1), std::pair(40, 7), std::pair(70, 90)}) {
    const auto whole = model::WithInputSize(small, height, width);
    ASSERT_TRUE(whole.ok());
    ASSERT_TRUE(model::Validate(*whole).ok()) << model::Validate(*whole).ToString();
    const auto pixels = RandomPixels(1, *whole, 1);
    const auto untiled =
        Restored(*whole, pixels, height, width, {.path = kernels::Path::kScalar, .tile = 1000});
    EXPECT_EQ(Restored(small, pixels, height, width, {.path = kernels::BestPath(), .tile = 32}),
              untiled);
    EXPECT_EQ(Restored(small, pixels, height, width,
                       {.path = kernels::BestPath(),
                        .threads = {.count = 3, .products_per_part = 1},
                        .tile = 17}),
              untiled);
  }
}

TEST(RestorerTest, RefusesWhatItCannotTile) {
  const Network network = RestoringNetwork(3, 4, 8, 8);
  const auto make = [&](const Network& n, int tile) {
    return Restorer::Make(n, n.points.back(), {.path = kernels::BestPath(), .tile = tile})
        .status()
        .code();
  };
  EXPECT_EQ(make(network, 10), StatusCode::kInvalidArgument);  // a radius of 5 on each side
  EXPECT_EQ(make(network, 11), StatusCode::kOk);
  EXPECT_EQ(make(testing::SmallImageNetwork(1), 0), StatusCode::kInvalidArgument);
  Network strided = network;
  strided.layers[2].window.stride_h = 2;
  EXPECT_EQ(make(strided, 0), StatusCode::kInvalidArgument);
  Network sum = network;
  sum.points.back().terms = {0, 1};
  EXPECT_EQ(make(sum, 0), StatusCode::kInvalidArgument);
  auto restorer = Restorer::Make(network, network.points.back(), {.path = kernels::BestPath()});
  ASSERT_TRUE(restorer.ok());
  EXPECT_EQ((*restorer)->tile(), 256);
  EXPECT_EQ((*restorer)->radius(), 5);
  for (const auto& [bytes, height, width] :
       {std::tuple(0, 0, 5), std::tuple(11, 3, 4), std::tuple(1, -1, -1)}) {
    const std::vector<uint8_t> pixels(static_cast<size_t>(bytes));
    EXPECT_EQ((*restorer)->Restore(pixels, height, width).status().code(),
              StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace braid::runtime
