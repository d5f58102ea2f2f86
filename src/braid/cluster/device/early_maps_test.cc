#include "braid/cluster/device/early_maps.h"

#include <gtest/gtest.h>

namespace braid::cluster {
namespace {

constexpr DeviceId kB{2};
constexpr DeviceId kC{3};

AttemptKey Key(uint64_t request) { return {.requester = 1, .incarnation = 7, .request = request}; }

Frame Map(uint64_t request, size_t bytes = 10, uint8_t group = 0) {
  Frame frame;
  frame.kind = FrameKind::kMap;
  frame.key = Key(request);
  frame.group = group;
  frame.payload.resize(bytes);
  return frame;
}

TimePoint At(int ms) { return TimePoint{} + std::chrono::milliseconds(ms); }

TEST(EarlyMapsTest, GivesTheMapsOfAnAttemptOnceInOrder) {
  EarlyMaps maps({});
  EXPECT_TRUE(maps.Put(kB, Map(1, 10, 0), At(0)));
  EXPECT_TRUE(maps.Put(kC, Map(1, 10, 2), At(1)));
  EXPECT_TRUE(maps.Put(kB, Map(2, 10, 0), At(2)));
  const auto taken = maps.Take(Key(1));
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].from, kB);
  EXPECT_EQ(taken[1].from, kC);
  EXPECT_EQ(taken[1].frame.group, 2);
  EXPECT_TRUE(maps.Take(Key(1)).empty());
  EXPECT_EQ(maps.attempts(), 1u);
}

TEST(EarlyMapsTest, DropsWhatComesForAnAttemptThatIsOver) {
  EarlyMaps maps({});
  maps.Put(kB, Map(1), At(0));
  maps.MarkOver(Key(1));
  EXPECT_TRUE(maps.IsOver(Key(1)));
  EXPECT_FALSE(maps.Put(kB, Map(1), At(1)));
  EXPECT_TRUE(maps.Take(Key(1)).empty());
}

TEST(EarlyMapsTest, ASenderPastItsCreditLosesItsOldestAttempt) {
  EarlyMaps maps({.attempts_per_sender = 2});
  maps.Put(kB, Map(1), At(0));
  maps.Put(kB, Map(2), At(1));
  maps.Put(kC, Map(9), At(1));
  maps.Put(kB, Map(3), At(2));
  EXPECT_TRUE(maps.Take(Key(1)).empty());
  EXPECT_EQ(maps.Take(Key(2)).size(), 1u);
  EXPECT_EQ(maps.Take(Key(3)).size(), 1u);
  EXPECT_EQ(maps.Take(Key(9)).size(), 1u) << "another sender's";
}

TEST(EarlyMapsTest, ASendersBytesAreBounded) {
  EarlyMaps maps({.attempts_per_sender = 64, .bytes_per_sender = 4096});
  for (uint64_t request = 0; request < 100; ++request) maps.Put(kB, Map(request, 1000), At(0));
  EXPECT_LE(maps.attempts(), 3u);
  EXPECT_FALSE(maps.Put(kB, Map(200, 5000), At(0))) << "alone larger than the limit";
  // Empty maps are not free either.
  EarlyMaps small({.attempts_per_sender = 64, .bytes_per_sender = 4096});
  for (int i = 0; i < 10000; ++i) small.Put(kB, Map(1, 0), At(0));
  EXPECT_LE(small.Take(Key(1)).size(), 32u);
}

TEST(EarlyMapsTest, ForgetsSendersThatLeftAndStartsThatNeverCame) {
  EarlyMaps maps({.age = std::chrono::milliseconds(100)});
  maps.Put(kB, Map(1), At(0));
  maps.Put(kC, Map(2), At(50));
  maps.DropOlderThanLimit(At(101));
  EXPECT_TRUE(maps.Take(Key(1)).empty());
  maps.DropSender(kC);
  EXPECT_EQ(maps.attempts(), 0u);
  EXPECT_TRUE(maps.Put(kC, Map(2), At(60)));
  EXPECT_EQ(maps.attempts(), 1u);
}

}  // namespace
}  // namespace braid::cluster
