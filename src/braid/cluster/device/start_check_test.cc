// What a participant takes from a requester, and what it does not.
#include "braid/cluster/device/start_check.h"

#include <gtest/gtest.h>

#include "braid/cluster/device/logit_bounds.h"
#include "braid/cluster/sim/braided_network.h"
#include "braid/runtime/execution.h"
#include "braid/runtime/testing/random_network.h"

namespace braid::cluster {
namespace {

using control::DeviceId;

constexpr DeviceId kA{1};
constexpr DeviceId kB{2};

class StartCheckTest : public testing::Test {
 protected:
  const model::Network network_ = sim::BraidedNetwork(3);
  Start Combined() const {
    Start start;
    start.point = static_cast<uint32_t>(model::FindPoint(network_, "g0-3"));
    start.images = 2;
    start.placement = {{kA, 0, GroupSet(0b0011)}, {kB, 0, GroupSet(0b1100)}};
    start.pixels.resize(static_cast<size_t>(2 * ImageBytes(network_)));
    return start;
  }
  Start Added() const {
    Start start = Combined();
    start.point = static_cast<uint32_t>(model::FindPoint(network_, "g0+1,2+3"));
    start.placement = {{kA, 0, GroupSet(0b0011)}, {kB, 1, GroupSet(0b1100)}};
    return start;
  }
  std::string Check(const Start& start, GroupSet share = GroupSet(0b1100)) const {
    return CheckStart(network_, start, kB, share).ToString();
  }
};

TEST_F(StartCheckTest, TakesAPlacementThatCoversThePoint) {
  EXPECT_EQ(Check(Combined()), "OK");
  EXPECT_EQ(Check(Added()), "OK");
}

TEST_F(StartCheckTest, RefusesWhatNoRequesterWithThisModelSends) {
  const auto with = [this](auto change) {
    Start start = Combined();
    change(start);
    return Check(start);
  };
  const std::string kind = "INVALID_ARGUMENT: start.";
  EXPECT_EQ(with([](Start& s) { s.point = 1000; }), kind + "point: no such point");
  EXPECT_EQ(with([](Start& s) { s.images = 0; }), kind + "images: none");
  EXPECT_EQ(with([](Start& s) { s.images = 3; }), kind + "pixels: not the size of the images");
  EXPECT_EQ(with([](Start& s) { s.images = 0xffffffff; }),
            kind + "pixels: not the size of the images");
  EXPECT_EQ(with([](Start& s) { s.placement.pop_back(); }),
            kind + "placement: a group of a term is not placed");
  EXPECT_EQ(with([](Start& s) { s.placement[0].term = 1; }), kind + "placement: no such term");
  EXPECT_EQ(with([](Start& s) { s.placement[0].local = GroupSet(0b0111); }),
            kind + "placement: a group is placed twice");
  EXPECT_EQ(with([](Start& s) { s.placement[0].local = GroupSet(); }),
            kind + "placement: groups outside their term");
  EXPECT_EQ(with([](Start& s) { s.placement[1].device = kA; }),
            kind + "placement: two parts of a term on one device");
  EXPECT_EQ(with([](Start& s) { s.placement[1].device = DeviceId{9}; }),
            kind + "placement: no part for this device");
  EXPECT_EQ(Check(Combined(), GroupSet(0b0100)),
            kind + "placement: groups outside this device's share");
}

TEST_F(StartCheckTest, TakesPartialSumsThatTheWeightsCanGiveAndNoOthers) {
  const LogitBounds bounds(network_);
  const model::LayerIndex head = network_.points[0].head;
  const auto model =
      runtime::PreparedModel::Prepare(network_, GroupSet(0b1100), kernels::Path::kScalar);
  ASSERT_TRUE(model.ok());
  const auto plan = runtime::Plan::Make(
      **model,
      {.groups = GroupSet(0b1100), .local = GroupSet(0b1100), .head = head, .max_batch = 2});
  ASSERT_TRUE(plan.ok());
  const auto execution = runtime::Execution::Create(**plan);
  ASSERT_TRUE(execution->Start(runtime::testing::RandomPixels(5, network_, 2), 2).ok());
  ASSERT_EQ(execution->Resume(), runtime::Step::kDone);
  const auto logits = execution->Logits();
  const std::vector<int32_t> sums(logits.begin(), logits.end());
  std::vector<uint8_t> payload = EncodeLogits(sums);
  const auto decoded = bounds.Decode(head, GroupSet(0b1100), 2, payload);
  ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
  EXPECT_EQ(*decoded, sums);
  EXPECT_FALSE(bounds.Decode(head, GroupSet(0b1100), 1, payload).ok()) << "two images, not one";
  payload[3] = 0x7f;  // the first sum becomes about 2^31
  EXPECT_FALSE(bounds.Decode(head, GroupSet(0b1100), 2, payload).ok());
  payload[3] = 0x80;
  EXPECT_FALSE(bounds.Decode(head, GroupSet(0b1100), 2, payload).ok());
}

}  // namespace
}  // namespace braid::cluster
