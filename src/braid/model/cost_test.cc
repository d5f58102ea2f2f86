// Costs, against counts by hand.
#include "braid/model/cost.h"

#include <gtest/gtest.h>

#include "braid/model/test_network.h"

namespace braid::model {
namespace {

// By hand, of MakeTestNetwork: 9 weights an output channel in "first", 9*4 in "grouped" (its own
// group only), 4 or 8 in "dense".
constexpr int64_t kFirst = 9, kGrouped = 9 * 4;

TEST(CostTest, CountsASubNetworkOfOneGroup) {
  const Network network = MakeTestNetwork();
  const int64_t weights_at_6x6 = 4 * kFirst + 4 * kGrouped;
  EXPECT_EQ(SubNetworkCost(network, GroupSet(1), kTestLast),
            (Cost{.macs = 36 * weights_at_6x6 + 9 * 4 * 4 + 3 * 4,
                  .weight_bytes = weights_at_6x6 + 4 * 4 + 3 * 4}));
  EXPECT_EQ(SubNetworkCost(network, GroupSet(2), kTestLast),
            (Cost{.macs = 36 * weights_at_6x6 + 9 * 8 * 4 + 3 * 8,
                  .weight_bytes = weights_at_6x6 + 8 * 4 + 3 * 8}));
}

TEST(CostTest, AddsCrossWeightsWhereGroupsCombine) {
  const Network network = MakeTestNetwork();
  const int64_t weights_at_6x6 = 8 * kFirst + 8 * kGrouped;
  EXPECT_EQ(SubNetworkCost(network, GroupSet(3), kTestLast),
            (Cost{.macs = 36 * weights_at_6x6 + 9 * 12 * 8 + 3 * 12,
                  .weight_bytes = weights_at_6x6 + 12 * 8 + 3 * 12}));
}

TEST(CostTest, LeavesOutWhatTheHeadDoesNotNeed) {
  const Network network = MakeTestNetwork();
  EXPECT_EQ(SubNetworkCost(network, GroupSet(3), kTestExit),
            (Cost{.macs = 36 * 8 * kFirst + 3 * 36 * 8, .weight_bytes = 8 * kFirst + 3 * 36 * 8}));
}

TEST(CostTest, FollowsShortcutsToTheLayersTheyNeed) {
  Network network = MakeTestNetwork();
  // "grouped" now reads the image; "first" is needed for its shortcut alone.
  network.layers[kTestGrouped].input = kTestInput;
  network.layers[kTestGrouped].weights.resize(8 * 9);
  const Cost cost = SubNetworkCost(network, GroupSet(1), kTestLast);
  EXPECT_EQ(cost.macs, 36 * (4 * 9 + 4 * 9) + 9 * 4 * 4 + 3 * 4);
}

TEST(CostTest, SharesOfDisjointGroupsAddUpToTheWhole) {
  const Network network = MakeTestNetwork();
  const GroupSet all(3);
  for (const LayerIndex head : {kTestExit, kTestLast}) {
    EXPECT_EQ(
        LocalCost(network, all, GroupSet(1), head) + LocalCost(network, all, GroupSet(2), head),
        SubNetworkCost(network, all, head));
  }
}

TEST(CostTest, AddsTheTermsOfAPoint) {
  const Network network = MakeTestNetwork();
  const int point = FindPoint(network, "g0,1");
  ASSERT_GE(point, 0);
  EXPECT_EQ(PointCost(network, network.points[static_cast<size_t>(point)]),
            SubNetworkCost(network, GroupSet(1), kTestLast) +
                SubNetworkCost(network, GroupSet(2), kTestLast));
  EXPECT_EQ(FindPoint(network, "g7"), -1);
  EXPECT_EQ(FindSubNetwork(network, GroupSet(3)), 2);
  EXPECT_EQ(FindSubNetwork(network, GroupSet(4)), -1);
}

TEST(CostTest, CountsTheRowsAndHeadsOfAShare) {
  const Network network = MakeTestNetwork();
  const int64_t heads = 3 * 36 * 8 + 3 * 12;
  EXPECT_EQ(ShareWeightBytes(network, GroupSet(1)), 4 * kFirst + 4 * kGrouped + 4 * 8 + heads);
  EXPECT_EQ(ShareWeightBytes(network, GroupSet(2)), 4 * kFirst + 4 * kGrouped + 8 * 8 + heads);
  EXPECT_EQ(ShareWeightBytes(network, GroupSet()), heads);
}

TEST(CostTest, CountsWhatCrossesTheWire) {
  const Network network = MakeTestNetwork();
  // "dense" alone reads other groups: the map of "max", 3x3x4 a group.
  EXPECT_EQ(ExchangeBytes(network, GroupSet(3), GroupSet(1), kTestLast), 3 * 3 * 4);
  EXPECT_EQ(ExchangeBytes(network, GroupSet(3), GroupSet(3), kTestLast), 0);
  EXPECT_EQ(ExchangeBytes(network, GroupSet(3), GroupSet(1), kTestExit), 0);
}

}  // namespace
}  // namespace braid::model
