// A simulated group answers rightly while nothing fails.
#include "braid/cluster/sim/group.h"

#include <gtest/gtest.h>

namespace braid::cluster::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<GroupSet> Singles(int count) {
  std::vector<GroupSet> shares;
  for (int group = 0; group < count; ++group) shares.push_back(GroupSet::Single(group));
  return shares;
}

class GroupTest : public testing::TestWithParam<std::vector<GroupSet>> {
 protected:
  const model::ModelFile model_ = BraidedModel(11);
  Oracle oracle_{model_.network};
};

TEST_P(GroupTest, GivesEveryOperatingPointBitForBitFromEveryDevice) {
  Group group(model_, &oracle_, {.seed = 5, .shares = GetParam()});
  group.RunFor(milliseconds(200));
  const int points = static_cast<int>(model_.network.points.size());
  int asked = 0;
  for (int point = 0; point < points; ++point) {
    for (int device = 0; device < group.size(); ++device) {
      group.Submit(device, point, 1 + point % 3, seconds(1));
      ++asked;
    }
    group.RunFor(milliseconds(5));
  }
  group.RunFor(seconds(1));
  EXPECT_EQ(group.judge().complaints(), std::vector<std::string>());
  EXPECT_EQ(group.judge().answered(), asked);
  EXPECT_EQ(group.judge().failovers(), 0);
  if (group.size() > 1) {
    EXPECT_GT(group.judge().combined(), asked / 10);
  }
}

TEST_P(GroupTest, KeepsManyRequestsInFlightApart) {
  Group group(model_, &oracle_, {.seed = 6, .shares = GetParam()});
  group.RunFor(milliseconds(200));
  const int points = static_cast<int>(model_.network.points.size());
  int asked = 0;
  for (int round = 0; round < 3; ++round) {
    for (int point = 0; point < points; ++point, ++asked) {
      group.Submit(asked % group.size(), point, 1 + asked % 4, seconds(1));
    }
  }
  group.RunFor(seconds(1));
  EXPECT_EQ(group.judge().complaints(), std::vector<std::string>());
  EXPECT_EQ(group.judge().answered(), asked);
  EXPECT_EQ(group.judge().failovers(), 0);
}

// A loss too short for anybody to be suspected: only that the other device is idle tells.
TEST(LostFrameTest, AStartOrItsAnswerThatIsLostCostsAnAttemptAndNoRequest) {
  const model::ModelFile model = BraidedModel(11);
  Oracle oracle(model.network);
  for (const auto& [from, to] : {std::pair("d0", "d1"), std::pair("d1", "d0")}) {
    Group group(model, &oracle, {.seed = 7, .shares = {GroupSet(0b0011), GroupSet(0b1100)}});
    group.RunFor(milliseconds(200));
    group.network().SetFault(from, to, LinkFault::kDrop);
    group.Submit(0, model::FindPoint(model.network, "g0+1,2+3"), 1, seconds(1));
    group.RunFor(milliseconds(50));
    group.network().SetFault(from, to, LinkFault::kNone);
    group.RunFor(seconds(2));
    EXPECT_EQ(group.judge().complaints(), std::vector<std::string>());
    EXPECT_EQ(group.judge().answered(), 1) << "lost from " << from << " to " << to;
    EXPECT_GT(group.judge().failovers(), 0);
  }
}

// Asks every door for `all`, the point of all devices, and waits.
void ExpectAllCombineWithinMoments(Group& group, int all) {
  const TimePoint begin = group.Now();
  for (int i = 0; i < group.size(); ++i) group.Submit(i, all, 1, seconds(5));
  while (group.judge().answered() < group.size() && group.Now() < begin + seconds(5)) {
    group.RunFor(milliseconds(10));
  }
  EXPECT_LE(group.Now() - begin, milliseconds(400));
  EXPECT_EQ(group.judge().complaints(), std::vector<std::string>());
}

// One door knows a device that is back before another participant does, who then reports it absent.
// That is held against the pair of them, not against the participant who said so and does nothing.
TEST(RejoinTest, ADeviceBackFromAKillCombinesAtEveryDoorWithinMoments) {
  const model::ModelFile model = BraidedModel(11);
  Oracle oracle(model.network);
  const int all = model::FindPoint(model.network, "g0-3");
  ASSERT_GE(all, 0);
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Group group(model, &oracle,
                {.seed = seed,
                 .shares = {GroupSet(0b0011), GroupSet(0b0100), GroupSet(0b1000)},
                 .jitter = milliseconds(10),
                 .dial_earlier_only = seed % 2 == 0});
    group.RunFor(seconds(2));
    const int back = static_cast<int>(seed % 3);
    group.Kill(back);
    group.RunFor(milliseconds(300 + seed));
    group.Revive(back);
    SCOPED_TRACE("seed " + std::to_string(seed));
    ExpectAllCombineWithinMoments(group, all);
  }
}

// A device is started while another one stands still: they can meet only when that one runs again,
// long after both have met the third.
TEST(RejoinTest, DevicesThatMeetWhenOneOfThemThawsCombineAtEveryDoorWithinMoments) {
  const model::ModelFile model = BraidedModel(11);
  Oracle oracle(model.network);
  const int all = model::FindPoint(model.network, "g0-3");
  ASSERT_GE(all, 0);
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Group group(model, &oracle,
                {.seed = seed,
                 .shares = {GroupSet(0b0011), GroupSet(0b0100), GroupSet(0b1000)},
                 .jitter = milliseconds(10),
                 .dial_earlier_only = seed % 2 == 0});
    group.RunFor(seconds(2));
    const int frozen = static_cast<int>(seed % 3);
    const int restarted = static_cast<int>((seed + 1 + seed / 3 % 2) % 3);
    group.Freeze(frozen);
    group.RunFor(milliseconds(100));
    group.Kill(restarted);
    group.RunFor(milliseconds(20));
    group.Revive(restarted);
    group.RunFor(milliseconds(600 + seed));
    group.Thaw(frozen);
    SCOPED_TRACE("seed " + std::to_string(seed));
    ExpectAllCombineWithinMoments(group, all);
  }
}

// A device that runs again starts what it was asked for meanwhile before it answers the pings of that
// time; the others take part at its word.
TEST(RejoinTest, ADeviceThatThawsWithARequestAtItsDoorCombinesWithinMoments) {
  const model::ModelFile model = BraidedModel(11);
  Oracle oracle(model.network);
  const int all = model::FindPoint(model.network, "g0-3");
  ASSERT_GE(all, 0);
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Group group(model, &oracle,
                {.seed = seed, .shares = {GroupSet(0b0011), GroupSet(0b0100), GroupSet(0b1000)}});
    group.RunFor(seconds(2));
    const int frozen = static_cast<int>(seed % 3);
    group.Freeze(frozen);
    group.Submit(frozen, all, 1, seconds(3));
    group.RunFor(milliseconds(600));
    group.Thaw(frozen);
    const TimePoint begin = group.Now();
    for (int i = 0; i < group.size(); ++i) group.Submit(i, all, 1, seconds(5));
    while (group.judge().answered() < group.size() + 1 && group.Now() < begin + seconds(5)) {
      group.RunFor(milliseconds(10));
    }
    EXPECT_LE(group.Now() - begin, milliseconds(200)) << "seed " << seed;
    EXPECT_EQ(group.judge().complaints(), std::vector<std::string>());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shares, GroupTest,
    testing::Values(std::vector<GroupSet>{GroupSet(0b1111)},
                    std::vector<GroupSet>{GroupSet(0b0011), GroupSet(0b1100)},
                    std::vector<GroupSet>{GroupSet(0b0001), GroupSet(0b1000), GroupSet(0b0110)},
                    std::vector<GroupSet>{GroupSet(0b0111), GroupSet(0b1110), GroupSet(0b1001)},
                    Singles(4)),
    [](const auto& info) {
      std::string name = std::to_string(info.param.size()) + "devices";
      for (const GroupSet share : info.param) name += "_" + std::to_string(share.mask());
      return name;
    });

}  // namespace
}  // namespace braid::cluster::sim
