#include "braid/cluster/device/liveness.h"

#include <gtest/gtest.h>

namespace braid::cluster {
namespace {

using std::chrono::milliseconds;

constexpr LivenessLimits kLimits{.ping_interval = milliseconds(20),
                                 .silence_limit = milliseconds(100)};

TimePoint At(int ms) { return TimePoint{} + std::chrono::seconds(1) + milliseconds(ms); }

TEST(LivenessTest, PingsAQuietLineOncePerInterval) {
  Liveness liveness(kLimits, At(0));
  liveness.Tick(At(0));
  EXPECT_FALSE(liveness.Tick(At(10)).ping.has_value());
  EXPECT_TRUE(liveness.Tick(At(20)).ping.has_value());
  EXPECT_FALSE(liveness.Tick(At(30)).ping.has_value());
  EXPECT_TRUE(liveness.Tick(At(40)).ping.has_value());
}

TEST(LivenessTest, PingsABusyLineOncePerSilenceLimitForItsLoad) {
  Liveness liveness(kLimits, At(0));
  liveness.Tick(At(0));
  int pings = 0;
  for (int ms = 1; ms <= 1000; ++ms) {
    liveness.OnHeard(At(ms));
    const auto due = liveness.Tick(At(ms));
    if (due.ping) {
      ++pings;
      liveness.OnPong(*due.ping, At(ms));
    }
  }
  EXPECT_EQ(pings, 10);
}

TEST(LivenessTest, SuspectsASilentPeerOnceAndTrustsItWhenItIsHeard) {
  Liveness liveness(kLimits, At(0));
  EXPECT_FALSE(liveness.Tick(At(100)).suspect);
  EXPECT_TRUE(liveness.Tick(At(101)).suspect);
  EXPECT_FALSE(liveness.Tick(At(121)).suspect);
  EXPECT_TRUE(liveness.suspected());
  EXPECT_TRUE(liveness.OnHeard(At(130)));
  EXPECT_FALSE(liveness.suspected());
  EXPECT_FALSE(liveness.OnHeard(At(131)));
}

TEST(LivenessTest, SuspectsAPeerThatSpeaksButAnswersNoPing) {
  Liveness liveness(kLimits, At(0));
  ASSERT_TRUE(liveness.Tick(At(20)).ping.has_value());
  bool suspected = false;
  for (int ms = 30; ms <= 330; ms += 10) {
    liveness.OnHeard(At(ms));
    suspected = liveness.Tick(At(ms)).suspect || suspected;
    EXPECT_EQ(suspected, ms > 320) << ms;
  }
  EXPECT_FALSE(liveness.OnHeard(At(340))) << "only an answer shows that it hears us";
  EXPECT_TRUE(liveness.suspected());
  const auto due = liveness.Tick(At(450));
  ASSERT_TRUE(due.ping.has_value());
  EXPECT_TRUE(liveness.OnPong(*due.ping, At(451)).recovered);
  EXPECT_FALSE(liveness.suspected());
}

TEST(LivenessTest, MeasuresTheRoundTripByItsOwnPingsOnly) {
  Liveness liveness(kLimits, At(0));
  const auto due = liveness.Tick(At(20));
  ASSERT_TRUE(due.ping.has_value());
  EXPECT_FALSE(liveness.OnPong(*due.ping + 1, At(22)).expected);
  const auto pong = liveness.OnPong(*due.ping, At(24));
  EXPECT_TRUE(pong.expected);
  EXPECT_EQ(pong.round_trip, milliseconds(4));
  EXPECT_FALSE(liveness.OnPong(*due.ping, At(25)).expected) << "answered already";
}

TEST(LivenessTest, ForgivesWhatWasNotHeardWhileThisProcessDidNotRun) {
  Liveness liveness(kLimits, At(0));
  ASSERT_TRUE(liveness.Tick(At(20)).ping.has_value());
  liveness.Forgive(At(5000));
  EXPECT_FALSE(liveness.Tick(At(5001)).suspect);
  EXPECT_TRUE(liveness.Tick(At(5101)).suspect);
}

// It speaks before it has come to the pings of the time when it stood still.
TEST(LivenessTest, WhoStoodStillForLongIsTrustedAtItsFirstWord) {
  Liveness liveness(kLimits, At(0));
  for (int ms = 20; ms <= 1000; ms += 20) liveness.Tick(At(ms));
  EXPECT_TRUE(liveness.suspected());
  EXPECT_TRUE(liveness.OnHeard(At(1001)));
  EXPECT_FALSE(liveness.suspected());
  // Heard, but it still answers none of them: what we send does not arrive.
  EXPECT_TRUE(liveness.Tick(At(1020)).suspect);
  EXPECT_TRUE(liveness.suspected());
}

}  // namespace
}  // namespace braid::cluster
