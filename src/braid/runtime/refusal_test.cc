// What does not fit is refused with a reason, and leaves no trace in the answer.
#include <gtest/gtest.h>

#include "braid/runtime/execution.h"
#include "braid/runtime/testing/direct_network.h"
#include "braid/runtime/testing/random_network.h"
#include "braid/runtime/testing/split_run.h"

namespace braid::runtime {
namespace {

using model::Network;
using testing::MakeDevice;
using testing::RandomPixels;
using testing::SmallImageNetwork;
using testing::SplitDevice;

constexpr GroupSet kBoth = GroupSet::First(2);

StatusCode CodeOfPlan(const PreparedModel& model, const PlanSpec& spec) {
  return Plan::Make(model, spec).status().code();
}

TEST(PrepareTest, RefusesSharesThatTheNetworkDoesNotHave) {
  const Network network = SmallImageNetwork(1, 2);
  for (const GroupSet share : {GroupSet(), GroupSet(0b100), GroupSet(0b101)}) {
    EXPECT_EQ(PreparedModel::Prepare(network, share, kernels::Path::kScalar).status().code(),
              StatusCode::kInvalidArgument);
  }
}

TEST(PrepareTest, CarriesTheWeightsOfItsShareOnly) {
  const Network network = SmallImageNetwork(1, 2);
  const auto whole = PreparedModel::Prepare(network, kBoth, kernels::Path::kScalar).value();
  const auto half =
      PreparedModel::Prepare(network, GroupSet::Single(1), kernels::Path::kScalar).value();
  EXPECT_GT(half->weight_bytes(), 0);
  EXPECT_LT(half->weight_bytes(), whole->weight_bytes());
}

TEST(PlanTest, RefusesWhatTheModelOrTheShareLacks) {
  Network network = SmallImageNetwork(1, 2);
  const auto half =
      PreparedModel::Prepare(network, GroupSet::Single(0), kernels::Path::kScalar).value();
  const GroupSet own = GroupSet::Single(0);
  EXPECT_TRUE(Plan::Make(*half, {.groups = kBoth, .local = own}).ok());
  EXPECT_EQ(CodeOfPlan(*half, {.groups = GroupSet(), .local = own}), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOfPlan(*half, {.groups = GroupSet(4), .local = own}), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOfPlan(*half, {.groups = kBoth, .local = kBoth}), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOfPlan(*half, {.groups = kBoth, .local = {}}), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOfPlan(*half, {.groups = GroupSet::Single(1), .local = own}),
            StatusCode::kInvalidArgument);
  for (const int head : {0, 1, 99, -2}) {
    EXPECT_EQ(CodeOfPlan(*half, {.groups = own, .local = own, .head = head}),
              StatusCode::kInvalidArgument)
        << head;
  }
  for (const int batch : {0, -1, 1 << 20}) {
    EXPECT_EQ(CodeOfPlan(*half, {.groups = own, .local = own, .max_batch = batch}),
              StatusCode::kInvalidArgument)
        << batch;
  }
  network.sub_networks.erase(network.sub_networks.begin());  // {0} goes, {0,1} stays
  EXPECT_EQ(CodeOfPlan(*half, {.groups = own, .local = own}), StatusCode::kInvalidArgument);
}

TEST(PlanTest, NamesWhatCrossesTheWire) {
  const Network network = SmallImageNetwork(1, 2);
  const SplitDevice half =
      MakeDevice(network, {.groups = kBoth, .local = GroupSet::Single(0)}, kernels::Path::kScalar);
  const auto exchanges = half.plan->exchanges();
  EXPECT_EQ(std::vector<int>(exchanges.begin(), exchanges.end()), (std::vector<int>{1, 2}));
  EXPECT_EQ(half.plan->MapBytes(1, 1), 14 * 14 * 8);
  EXPECT_EQ(half.plan->MapBytes(2, 0), 7 * 7 * 8);
  EXPECT_EQ(half.plan->MapBytes(99, 0), 0);
  EXPECT_EQ(half.plan->MapBytes(1, 2), 0);
  EXPECT_EQ(half.plan->logits_per_image(), 10);
  const SplitDevice whole =
      MakeDevice(network, {.groups = kBoth, .local = kBoth}, kernels::Path::kScalar);
  EXPECT_TRUE(whole.plan->exchanges().empty());
}

TEST(StartTest, RefusesPixelsThatDoNotFitTheBatch) {
  const Network network = SmallImageNetwork(1, 2);
  const SplitDevice device = MakeDevice(network, {.groups = kBoth, .local = kBoth, .max_batch = 2},
                                        kernels::Path::kScalar);
  const std::vector<uint8_t> pixels(3 * 28 * 28);
  const std::span<const uint8_t> all(pixels);
  EXPECT_FALSE(device.execution->Start(all, 3).ok());
  EXPECT_FALSE(device.execution->Start({}, 0).ok());
  EXPECT_FALSE(device.execution->Start(all.first(28 * 28 - 1), 1).ok());
  EXPECT_FALSE(device.execution->Start(all.first(28 * 28), 2).ok());
  EXPECT_TRUE(device.execution->Start(all.first(2 * 28 * 28), 2).ok());
}

class SupplyTest : public ::testing::Test {
 protected:
  static constexpr int kImages = 2;
  static constexpr int kFirst = 1;   // layer, 14x14
  static constexpr int kSecond = 2;  // layer, 7x7
  static constexpr size_t kFirstBytes = kImages * 14 * 14 * 8;
  static constexpr size_t kSecondBytes = kImages * 7 * 7 * 8;

  SupplyTest()
      : network_(SmallImageNetwork(7, 2)),
        pixels_(RandomPixels(7, network_, kImages)),
        device_(MakeDevice(network_,
                           {.groups = kBoth, .local = GroupSet::Single(0), .max_batch = kImages},
                           kernels::Path::kScalar)) {}

  Execution& execution() { return *device_.execution; }
  StatusCode Supply(int layer, int group, size_t bytes, uint8_t value = 1) {
    return execution().Supply(layer, group, std::vector<uint8_t>(bytes, value)).code();
  }

  Network network_;
  std::vector<uint8_t> pixels_;
  SplitDevice device_;
};

TEST_F(SupplyTest, RefusesMapsWithoutARun) {
  EXPECT_EQ(Supply(kFirst, 1, kFirstBytes), StatusCode::kInvalidArgument);
}

TEST_F(SupplyTest, RefusesWrongLayersGroupsAndSizes) {
  ASSERT_TRUE(execution().Start(pixels_, kImages).ok());
  EXPECT_EQ(Supply(0, 1, kFirstBytes), StatusCode::kInvalidArgument);   // the input
  EXPECT_EQ(Supply(3, 1, kSecondBytes), StatusCode::kInvalidArgument);  // read by the head only
  EXPECT_EQ(Supply(-1, 1, kFirstBytes), StatusCode::kInvalidArgument);
  EXPECT_EQ(Supply(99, 1, kFirstBytes), StatusCode::kInvalidArgument);
  EXPECT_EQ(Supply(kFirst, 0, kFirstBytes), StatusCode::kInvalidArgument);  // its own
  EXPECT_EQ(Supply(kFirst, 2, kFirstBytes), StatusCode::kInvalidArgument);
  EXPECT_EQ(Supply(kFirst, -1, kFirstBytes), StatusCode::kInvalidArgument);
  EXPECT_EQ(Supply(kFirst, 64, kFirstBytes), StatusCode::kInvalidArgument);
  EXPECT_EQ(Supply(kFirst, 1, kFirstBytes - 1), StatusCode::kInvalidArgument);
  EXPECT_EQ(Supply(kFirst, 1, kFirstBytes + 1), StatusCode::kInvalidArgument);
  EXPECT_EQ(Supply(kFirst, 1, 0), StatusCode::kInvalidArgument);
  EXPECT_EQ(Supply(kFirst, 1, kFirstBytes), StatusCode::kOk);
}

TEST_F(SupplyTest, RefusesBytesOutsideOfTheKind) {
  ASSERT_TRUE(execution().Start(pixels_, kImages).ok());
  std::vector<uint8_t> map(kFirstBytes, 127);
  map.back() = 128;
  EXPECT_EQ(execution().Supply(kFirst, 1, map).code(), StatusCode::kInvalidArgument);
  map.back() = 127;
  EXPECT_TRUE(execution().Supply(kFirst, 1, map).ok());

  network_.layers[kFirst].activation = model::Activation::kSigned;
  const SplitDevice other =
      MakeDevice(network_, {.groups = kBoth, .local = GroupSet::Single(0), .max_batch = kImages},
                 kernels::Path::kScalar);
  ASSERT_TRUE(other.execution->Start(pixels_, kImages).ok());
  map.front() = 0x80;  // -128
  EXPECT_EQ(other.execution->Supply(kFirst, 1, map).code(), StatusCode::kInvalidArgument);
  map.front() = 0x81;  // -127
  EXPECT_TRUE(other.execution->Supply(kFirst, 1, map).ok());
}

TEST_F(SupplyTest, TakesEachMapOnceAlsoLongBeforeItIsNeeded) {
  ASSERT_TRUE(execution().Start(pixels_, kImages).ok());
  EXPECT_EQ(Supply(kSecond, 1, kSecondBytes), StatusCode::kOk);
  EXPECT_EQ(Supply(kSecond, 1, kSecondBytes), StatusCode::kInvalidArgument);
  ASSERT_EQ(execution().Resume(), Step::kExchangeReady);
  EXPECT_EQ(execution().exchange_layer(), kFirst);
  ASSERT_EQ(execution().Resume(), Step::kExchangeAwaited);
  EXPECT_EQ(execution().exchange_layer(), kFirst);
  EXPECT_EQ(execution().Missing(), GroupSet::Single(1));
  EXPECT_EQ(Supply(kFirst, 1, kFirstBytes), StatusCode::kOk);
  EXPECT_TRUE(execution().Missing().empty());
  // The second exchange's map is there already: ready, but never awaited.
  ASSERT_EQ(execution().Resume(), Step::kExchangeReady);
  EXPECT_EQ(execution().exchange_layer(), kSecond);
  ASSERT_EQ(execution().Resume(), Step::kDone);
  EXPECT_EQ(Supply(kFirst, 1, kFirstBytes), StatusCode::kInvalidArgument);
}

TEST_F(SupplyTest, ForgetsAnUnfinishedRunOnStart) {
  ASSERT_TRUE(execution().Start(pixels_, kImages).ok());
  EXPECT_EQ(Supply(kFirst, 1, kFirstBytes), StatusCode::kOk);
  ASSERT_EQ(execution().Resume(), Step::kExchangeReady);
  ASSERT_TRUE(execution().Start(pixels_, kImages).ok());
  EXPECT_EQ(execution().exchange_layer(), model::kNoLayer);
  EXPECT_EQ(Supply(kFirst, 1, kFirstBytes), StatusCode::kOk);
}

TEST_F(SupplyTest, KeepsTheLocalMapUntilTheNextStart) {
  ASSERT_TRUE(execution().Start(pixels_, kImages).ok());
  EXPECT_EQ(Supply(kFirst, 1, kFirstBytes), StatusCode::kOk);
  EXPECT_EQ(Supply(kSecond, 1, kSecondBytes), StatusCode::kOk);
  ASSERT_EQ(execution().Resume(), Step::kExchangeReady);
  const auto map = execution().LocalMap(0);
  const std::vector<uint8_t> before(map.begin(), map.end());
  ASSERT_EQ(before.size(), kFirstBytes);
  ASSERT_EQ(execution().Resume(), Step::kExchangeReady);
  ASSERT_EQ(execution().Resume(), Step::kDone);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), map.begin()));
}

}  // namespace
}  // namespace braid::runtime
