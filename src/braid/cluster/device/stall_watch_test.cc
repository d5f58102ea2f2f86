#include "braid/cluster/device/stall_watch.h"

#include <gtest/gtest.h>

namespace braid::cluster {
namespace {

using std::chrono::milliseconds;

constexpr DeviceId kPeer{2};
constexpr Duration kLimit = milliseconds(250);

TimePoint At(int ms) { return TimePoint{} + milliseconds(ms); }

TEST(StallWatchTest, APeerStallsWhenOneAttemptHasWaitedForItInVain) {
  StallWatch watch(kLimit);
  EXPECT_FALSE(watch.WaitedInVain(kPeer, At(0), At(249)));
  EXPECT_TRUE(watch.WaitedInVain(kPeer, At(0), At(250)));
}

TEST(StallWatchTest, ShortAttemptsAddUp) {
  StallWatch watch(kLimit);
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(watch.WaitedInVain(kPeer, At(1000 * i), At(1000 * i + 50)));
  }
  EXPECT_TRUE(watch.WaitedInVain(kPeer, At(4000), At(4050)));
}

TEST(StallWatchTest, AttemptsThatWaitSideBySideCountOnce) {
  StallWatch watch(kLimit);
  for (int i = 0; i < 60; ++i) EXPECT_FALSE(watch.WaitedInVain(kPeer, At(i), At(i + 50)));
}

TEST(StallWatchTest, AnAttemptBehindOthersThatAreDeliveredDoesNotCount) {
  StallWatch watch(kLimit);
  watch.OnDelivered(kPeer, At(100));
  EXPECT_FALSE(watch.WaitedInVain(kPeer, At(0), At(1000)));
  EXPECT_TRUE(watch.WaitedInVain(kPeer, At(101), At(1000)));
}

TEST(StallWatchTest, AResultEndsTheCountAndAStallBeginsItAnew) {
  StallWatch watch(kLimit);
  EXPECT_FALSE(watch.WaitedInVain(kPeer, At(0), At(200)));
  watch.OnDelivered(kPeer, At(201));
  EXPECT_FALSE(watch.WaitedInVain(kPeer, At(300), At(500)));
  EXPECT_TRUE(watch.WaitedInVain(kPeer, At(500), At(550)));
  EXPECT_FALSE(watch.WaitedInVain(kPeer, At(551), At(800)));
  EXPECT_TRUE(watch.WaitedInVain(kPeer, At(801), At(802)));
}

TEST(StallWatchTest, PeersAreCountedEachForItself) {
  StallWatch watch(kLimit);
  EXPECT_FALSE(watch.WaitedInVain(kPeer, At(0), At(200)));
  EXPECT_FALSE(watch.WaitedInVain(DeviceId{3}, At(200), At(400)));
  EXPECT_TRUE(watch.WaitedInVain(kPeer, At(400), At(450)));
}

}  // namespace
}  // namespace braid::cluster
