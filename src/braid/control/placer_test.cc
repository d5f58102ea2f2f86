#include "braid/control/placer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "braid/base/rng.h"
#include "braid/control/test_network.h"

namespace braid::control {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

constexpr double kSpeed = 1e9;

DeviceState Device(uint64_t id, uint32_t share, Duration round_trip = {}, double speed = kSpeed) {
  return {.id = DeviceId{id},
          .self = id == 1,
          .share = GroupSet(share),
          .round_trip = round_trip,
          .macs_per_second = speed};
}

class PlacerTest : public ::testing::Test {
 protected:
  PointWork Work(const std::string& name) const {
    return MeasurePoint(network_, PointNamed(network_, name));
  }
  const model::Network network_ = MakeTestNetwork(4);
};

TEST_F(PlacerTest, TakesSelfAloneWhereItCarriesEverything) {
  const Placer placer(std::vector{Device(2, 0b1111), Device(1, 0b1111)}, {}, kSpeed);
  EXPECT_THAT(*placer.Fewest(Work("g0+1+2+3")),
              ElementsAre(Assignment{DeviceId{1}, 0, GroupSet(0b1111)}));
}

TEST_F(PlacerTest, TakesTheFewestDevicesThatCoverThePoint) {
  const Placer placer(
      std::vector{Device(1, 0b0001), Device(2, 0b0011, milliseconds(1)),
                  Device(3, 0b1110, milliseconds(9)), Device(4, 0b1100, milliseconds(1))},
      {}, kSpeed);
  EXPECT_THAT(*placer.Fewest(Work("g0+1+2+3")),
              ElementsAre(Assignment{DeviceId{1}, 0, GroupSet(0b0001)},
                          Assignment{DeviceId{3}, 0, GroupSet(0b1110)}));
}

TEST_F(PlacerTest, PrefersTheNearerOfTwoLikePeers) {
  const Placer placer(std::vector{Device(1, 0b0001), Device(2, 0b0010, milliseconds(9)),
                                  Device(3, 0b0010, milliseconds(1))},
                      {}, kSpeed);
  EXPECT_THAT(*placer.Fewest(Work("g0+1")),
              ElementsAre(Assignment{DeviceId{1}, 0, GroupSet(0b01)},
                          Assignment{DeviceId{3}, 0, GroupSet(0b10)}));
}

TEST_F(PlacerTest, FindsNothingWhereAGroupIsMissing) {
  const Placer placer(std::vector{Device(1, 0b0001), Device(2, 0b0010)}, {}, kSpeed);
  EXPECT_FALSE(placer.Fewest(Work("g0+1+2")).has_value());
  EXPECT_FALSE(placer.On(Work("g0+1"), 0).has_value());
}

TEST_F(PlacerTest, NeverPutsABrokenPairIntoOneTerm) {
  const std::vector devices{Device(1, 0b0001), Device(2, 0b0010), Device(3, 0b0010)};
  const std::vector broken{std::pair{DeviceId{2}, DeviceId{1}}};
  const Placer placer(devices, broken, kSpeed);
  EXPECT_THAT(*placer.Fewest(Work("g0+1")),
              ElementsAre(Assignment{DeviceId{1}, 0, GroupSet(0b01)},
                          Assignment{DeviceId{3}, 0, GroupSet(0b10)}));
  EXPECT_THAT(*placer.Fewest(Work("g0,1")), ElementsAre(Assignment{DeviceId{1}, 0, GroupSet(0b01)},
                                                        Assignment{DeviceId{2}, 1, GroupSet(0b10)}))
      << "terms do not talk to each other";
}

TEST_F(PlacerTest, GivesSharedGroupsToTheDeviceThatEndsSooner) {
  const Placer placer(std::vector{Device(1, 0b0111, {}, 1e8), Device(2, 0b1110, {}, 1e9)}, {},
                      kSpeed);
  EXPECT_THAT(*placer.Fewest(Work("g0+1+2+3")),
              ElementsAre(Assignment{DeviceId{1}, 0, GroupSet(0b0001)},
                          Assignment{DeviceId{2}, 0, GroupSet(0b1110)}));
}

TEST_F(PlacerTest, FillsUnknownSpeedsFromTheKnownOnes) {
  const Placer placer(std::vector{Device(1, 1, {}, 0), Device(2, 2, {}, 4e8)}, {}, kSpeed);
  EXPECT_EQ(placer.devices()[0].macs_per_second, 4e8);
  const Placer nothing_known(std::vector{Device(1, 1, {}, 0)}, {}, kSpeed);
  EXPECT_EQ(nothing_known.devices()[0].macs_per_second, kSpeed);
}

// Every placement is valid and minimal in devices, against brute force over all subsets.
TEST_F(PlacerTest, EqualsBruteForceOnRandomGroups) {
  Rng rng(1);
  int placed = 0;
  for (int round = 0; round < 400; ++round) {
    std::vector<DeviceState> devices;
    const int count = static_cast<int>(rng.Between(1, 5));
    for (int d = 0; d < count; ++d) {
      devices.push_back(Device(static_cast<uint64_t>(d) + 1,
                               static_cast<uint32_t>(rng.Between(1, 15)),
                               milliseconds(rng.Between(0, 3)), 1e6 * (1.0 + rng.Uniform())));
    }
    std::vector<std::pair<DeviceId, DeviceId>> broken;
    for (int a = 0; a < count; ++a) {
      for (int b = a + 1; b < count; ++b) {
        if (rng.Below(4) == 0) {
          broken.push_back(
              {devices[static_cast<size_t>(a)].id, devices[static_cast<size_t>(b)].id});
        }
      }
    }
    const auto apart = [&](size_t a, size_t b) {
      for (const auto& [x, y] : broken) {
        if ((x == devices[a].id && y == devices[b].id) ||
            (y == devices[a].id && x == devices[b].id)) {
          return true;
        }
      }
      return false;
    };
    const int point = static_cast<int>(rng.Below(network_.points.size()));
    const PointWork work = MeasurePoint(network_, point);
    // A term can run on a set of devices when a subset without broken pairs covers it.
    const auto can_run = [&](GroupSet groups, uint32_t allowed) {
      for (uint32_t set = 1; set < (1u << count); ++set) {
        if ((set & ~allowed) != 0) continue;
        GroupSet carried;
        bool whole = true;
        for (size_t a = 0; a < devices.size(); ++a) {
          if (((set >> a) & 1) == 0) continue;
          carried = carried | devices[a].share;
          for (size_t b = 0; b < a; ++b) whole = whole && !(((set >> b) & 1) != 0 && apart(a, b));
        }
        if (whole && carried.ContainsAll(groups)) return true;
      }
      return false;
    };
    int fewest = 0;
    for (uint32_t set = 1; set < (1u << count); ++set) {
      bool runs = true;
      for (const TermWork& term : work.terms) runs = runs && can_run(term.groups, set);
      const int size = std::popcount(set);
      if (runs && (fewest == 0 || size < fewest)) fewest = size;
    }
    const Placer placer(devices, broken, kSpeed);
    const std::optional<Placement> placement = placer.Fewest(work);
    ASSERT_EQ(placement.has_value(), fewest > 0) << "round " << round;
    if (!placement.has_value()) continue;
    ++placed;
    uint32_t used = 0;
    std::vector<GroupSet> covered(work.terms.size());
    for (const Assignment& a : *placement) {
      const size_t d = static_cast<size_t>(a.device) - 1;
      used |= 1u << d;
      ASSERT_TRUE(devices[d].share.ContainsAll(a.local)) << "round " << round;
      GroupSet& done = covered[static_cast<size_t>(a.term)];
      ASSERT_TRUE((done & a.local).empty() && !a.local.empty()) << "round " << round;
      done = done | a.local;
      for (const Assignment& b : *placement) {
        ASSERT_FALSE(a.term == b.term && apart(d, static_cast<size_t>(b.device) - 1));
      }
    }
    for (size_t t = 0; t < covered.size(); ++t) ASSERT_EQ(covered[t], work.terms[t].groups);
    EXPECT_LE(std::popcount(used), fewest) << "round " << round;
  }
  EXPECT_GT(placed, 100);
}

TEST(WorkTest, CountsTheLayersThatAGroupComputesAndExchanges) {
  const model::Network network = MakeTestNetwork(2);
  const PointWork combined = MeasurePoint(network, PointNamed(network, "g0+1"));
  ASSERT_EQ(combined.terms.size(), 1u);
  EXPECT_EQ(combined.terms[0].exchanges, 1) << "the second convolution reads the first's map";
  EXPECT_EQ(combined.terms[0].exchange_bytes[0], 8 * 8 * 4);
  EXPECT_EQ(combined.terms[0].macs[0], 8 * 8 * (9 * 4 + 9 * 8 * 4 + 10 * 4));
  const PointWork added = MeasurePoint(network, PointNamed(network, "g0,1"));
  ASSERT_EQ(added.terms.size(), 2u);
  EXPECT_EQ(added.terms[0].exchanges, 0);
  EXPECT_EQ(added.terms[1].macs[1], 8 * 8 * (9 * 4 + 9 * 4 * 4 + 10 * 4));
}

TEST(WorkTest, ScalesToTheMeanThatThePointStates) {
  model::Network network = MakeTestNetwork(2);
  const int point = PointNamed(network, "g0+1");
  network.points[static_cast<size_t>(point)].macs_mean /= 2;
  const PointWork work = MeasurePoint(network, point);
  EXPECT_EQ(work.terms[0].macs[0] * 2, 8 * 8 * (9 * 4 + 9 * 8 * 4 + 10 * 4));
}

}  // namespace
}  // namespace braid::control
