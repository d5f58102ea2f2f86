// Exits inside a batch: checkpoints give the exit's logits, and images that leave cost nothing
// more.
#include <gtest/gtest.h>

#include <algorithm>

#include "braid/base/rng.h"
#include "braid/runtime/execution.h"
#include "braid/runtime/testing/direct_network.h"
#include "braid/runtime/testing/random_network.h"
#include "braid/runtime/testing/split_run.h"

namespace braid::runtime {
namespace {

using model::LayerIndex;
using model::Network;
using testing::DirectLogits;
using testing::MakeDevice;
using testing::RandomNetwork;
using testing::RandomPixels;
using testing::SplitDevice;

constexpr int kGroups = 2;
constexpr int kBoth = 2;  // index of the sub-network {0,1}
constexpr GroupSet kAll = GroupSet::First(kGroups);

std::vector<LayerIndex> Heads(const Network& network) {
  std::vector<LayerIndex> heads;
  for (size_t i = 0; i < network.layers.size(); ++i) {
    if (network.layers[i].op == model::Op::kLinear) heads.push_back(static_cast<LayerIndex>(i));
  }
  return heads;
}

// The first network from `seed` on that has two exits or more.
Network NetworkWithExits(uint64_t seed) {
  for (;; ++seed) {
    Network network = RandomNetwork(seed, {.groups = kGroups,
                                           .exits = true,
                                           .concatenations = seed % 2 == 1,
                                           .filters = seed % 3 == 1,
                                           .max_layers = 9});
    if (Heads(network).size() >= 3) return network;
  }
}

// Which of the images of the start are in the batch, and what each one's logits must be.
class Followed {
 public:
  Followed(const Network& network, std::vector<uint8_t> pixels, int n)
      : network_(network), pixels_(std::move(pixels)) {
    for (int i = 0; i < n; ++i) images_.push_back(i);
    per_image_ = pixels_.size() / static_cast<size_t>(n);
  }

  void ExpectLogits(std::span<const int32_t> sums, LayerIndex head) const {
    std::vector<int32_t> logits(sums.begin(), sums.end());
    FinishLogits(network_, kBoth, head, logits);
    std::vector<int32_t> expected;
    for (const int image : images_) {
      const auto one = DirectLogits(
          network_, kBoth, head,
          std::span(pixels_).subspan(static_cast<size_t>(image) * per_image_, per_image_));
      expected.insert(expected.end(), one.begin(), one.end());
    }
    EXPECT_EQ(logits, expected) << "head " << head;
  }

  void Keep(std::span<const int> keep) {
    std::vector<int> left;
    for (const int i : keep) left.push_back(images_[static_cast<size_t>(i)]);
    images_ = left;
  }

 private:
  const Network& network_;
  std::vector<uint8_t> pixels_;
  size_t per_image_;
  std::vector<int> images_;
};

TEST(ExitsTest, GivesEveryExitsLogitsForTheImagesThatStay) {
  for (const kernels::Path path : kernels::SupportedPaths()) {
    for (uint64_t seed = 0; seed < 12; ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      const Network network = NetworkWithExits(seed);
      const std::vector<LayerIndex> heads = Heads(network);
      const SplitDevice device =
          MakeDevice(network, {.groups = kAll, .local = kAll, .max_batch = 7}, path);
      Execution& execution = *device.execution;
      Rng rng(seed);
      const auto pixels = RandomPixels(seed, network, 7);
      Followed followed(network, pixels, 7);
      ASSERT_TRUE(execution.Start(pixels, 7).ok());
      for (size_t exit = 0; exit + 1 < heads.size(); ++exit) {
        ASSERT_EQ(execution.Resume(), Step::kCheckpoint);
        followed.ExpectLogits(execution.Logits(), heads[exit]);
        std::vector<int> keep;
        for (int i = 0; i < execution.batch(); ++i) {
          if (i == 0 || rng.Below(4) != 0) keep.push_back(i);
        }
        execution.Retain(keep);
        ASSERT_EQ(execution.batch(), static_cast<int>(keep.size()));
        followed.Keep(keep);
      }
      ASSERT_EQ(execution.Resume(), Step::kDone);
      followed.ExpectLogits(execution.Logits(), heads.back());
    }
  }
}

TEST(ExitsTest, KeepsTheExitsLogitsReadableAfterRetain) {
  const Network network = NetworkWithExits(1);
  const SplitDevice device =
      MakeDevice(network, {.groups = kAll, .local = kAll, .max_batch = 3}, kernels::Path::kScalar);
  ASSERT_TRUE(device.execution->Start(RandomPixels(1, network, 3), 3).ok());
  ASSERT_EQ(device.execution->Resume(), Step::kCheckpoint);
  const auto span = device.execution->Logits();
  const std::vector<int32_t> before(span.begin(), span.end());
  ASSERT_EQ(before.size(), 30u);
  device.execution->Retain(std::vector<int>{2});
  const auto after = device.execution->Logits();
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin(), after.end()));
}

TEST(ExitsTest, EndsAtOnceWhenEveryImageHasLeft) {
  const Network network = NetworkWithExits(2);
  const SplitDevice device =
      MakeDevice(network, {.groups = kAll, .local = kAll, .max_batch = 3}, kernels::Path::kScalar);
  const auto pixels = RandomPixels(2, network, 3);
  ASSERT_TRUE(device.execution->Start(pixels, 3).ok());
  ASSERT_EQ(device.execution->Resume(), Step::kCheckpoint);
  device.execution->Retain({});
  // There are two exits or more, but nothing is left to stop for.
  EXPECT_EQ(device.execution->Resume(), Step::kDone);
  EXPECT_TRUE(device.execution->Logits().empty());
  ASSERT_TRUE(device.execution->Start(pixels, 3).ok());
  EXPECT_EQ(device.execution->batch(), 3);
}

TEST(ExitsTest, PassesExitsThatThePlanDoesNotAskFor) {
  const Network network = NetworkWithExits(3);
  const auto pixels = RandomPixels(3, network, 2);
  const std::vector<LayerIndex> heads = Heads(network);
  // To the last head without stopping; to the first exit, before which there is none.
  for (const PlanSpec& spec :
       {PlanSpec{.groups = kAll, .local = kAll, .max_batch = 2, .exits = false},
        PlanSpec{.groups = kAll, .local = kAll, .head = heads.front(), .max_batch = 2}}) {
    const SplitDevice device = MakeDevice(network, spec, kernels::Path::kScalar);
    ASSERT_TRUE(device.execution->Start(pixels, 2).ok());
    ASSERT_EQ(device.execution->Resume(), Step::kDone);
    Followed(network, pixels, 2).ExpectLogits(device.execution->Logits(), device.plan->spec().head);
  }
}

TEST(ExitsTest, PassesExitsInPlansThatSpanDevices) {
  const Network network = NetworkWithExits(4);
  const auto pixels = RandomPixels(4, network, 2);
  std::vector<SplitDevice> devices;
  for (const int group : kAll) {
    devices.push_back(MakeDevice(network,
                                 {.groups = kAll, .local = GroupSet::Single(group), .max_batch = 2},
                                 kernels::Path::kScalar));
  }
  EXPECT_EQ(testing::RunSplit(network, devices, pixels, 2, 0),
            testing::DirectLogitsOfBatch(network, kBoth, Heads(network).back(), pixels, 2));
}

}  // namespace
}  // namespace braid::runtime
