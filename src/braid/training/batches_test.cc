#include "braid/training/batches.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace braid::training {
namespace {

// `count` images of 4x4 with one channel; image i holds the value i everywhere.
data::Dataset Numbered(int count) {
  data::Dataset dataset;
  dataset.count = count;
  dataset.height = dataset.width = 4;
  dataset.channels = 1;
  for (int i = 0; i < count; ++i) {
    dataset.images.insert(dataset.images.end(), 16, static_cast<uint8_t>(i));
    dataset.targets.push_back(static_cast<uint8_t>(i));
  }
  for (int i = 0; i < count; ++i) dataset.labels.push_back(std::to_string(i));
  return dataset;
}

TEST(BatchesTest, ShowsEveryImageOnceAnEpochInANewOrder) {
  const data::Dataset dataset = Numbered(20);
  Batches batches(dataset, 5, {}, 7);
  std::vector<uint8_t> images;
  std::vector<int64_t> targets;
  std::vector<int64_t> orders[2];
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (int step = 0; step < batches.per_epoch(); ++step) {
      batches.Fill(epoch, step, images, targets);
      for (size_t i = 0; i < targets.size(); ++i) EXPECT_EQ(images[i * 16 + 5], targets[i]);
      orders[epoch].insert(orders[epoch].end(), targets.begin(), targets.end());
    }
    EXPECT_EQ(std::set<int64_t>(orders[epoch].begin(), orders[epoch].end()).size(), 20u);
  }
  EXPECT_NE(orders[0], orders[1]);
}

TEST(BatchesTest, GivesTheSameBatchWhenItIsAskedOutOfOrder) {
  const data::Dataset dataset = Numbered(20);
  Batches straight(dataset, 5, {1, true}, 7), jumping(dataset, 5, {1, true}, 7);
  std::vector<uint8_t> a, b;
  std::vector<int64_t> ta, tb;
  straight.Fill(0, 0, a, ta);
  straight.Fill(0, 1, a, ta);
  straight.Fill(1, 2, a, ta);
  jumping.Fill(1, 2, b, tb);
  EXPECT_EQ(a, b);
  EXPECT_EQ(ta, tb);
}

TEST(MoveImageTest, ShiftsMirrorsAndFillsWithBlack) {
  const uint8_t image[6] = {1, 2, 3, 4, 5, 6};  // 2 rows of 3
  uint8_t out[6];
  MoveImage(image, 2, 3, 1, 0, 0, true, out);
  EXPECT_EQ(std::vector<uint8_t>(out, out + 6), (std::vector<uint8_t>{3, 2, 1, 6, 5, 4}));
  MoveImage(image, 2, 3, 1, 1, -1, false, out);
  EXPECT_EQ(std::vector<uint8_t>(out, out + 6), (std::vector<uint8_t>{0, 0, 0, 2, 3, 0}));
}

}  // namespace
}  // namespace braid::training
