// Real processes, real sockets, real signals: what is killed, stopped or cut off in mid-stream
// costs no request and no right answer, and is used again afterwards.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdio>
#include <thread>

#include "stream.h"

namespace braid::cluster::testing {
namespace {

using std::chrono::milliseconds;

constexpr int kInFlight = 8;
// Of calm, of fault, of calm again; each many times what any limit of a device waits for.
constexpr Duration kPhase = milliseconds(700);
// A machine that keeps a runnable thread waiting for this long cannot answer within a second
// whatever the devices do: the round is repeated.
constexpr Duration kStarved = milliseconds(250);
constexpr int kRounds = 3;

class FaultsTest : public ::testing::TestWithParam<sim::Preferred> {
 protected:
  using Act = std::function<void(ProcessGroup&)>;

  void Survive(const char* fault, const Act& begin, const Act& end) {
    for (int round = 0; round < kRounds; ++round) {
      ProcessGroup group(GetParam());
      ASSERT_TRUE(group.AllAnswer()) << group.requester().Log();
      Stream stream(&group, kInFlight);
      std::this_thread::sleep_for(kPhase);
      stream.MarkFault();
      begin(group);
      std::this_thread::sleep_for(kPhase);
      end(group);
      std::this_thread::sleep_for(kPhase);
      stream.Stop();
      const Stream::Summary summary = stream.Judge();
      const char* way = GetParam() == sim::Preferred::kAdded ? "added" : "combined";
      std::printf(
          "%s, %s: %d requests, %d failed, %d wrong, %d by several devices, %d failovers; first "
          "answer after %.1f ms, worst answer %.1f ms, starved for %.1f ms\n",
          fault, way, summary.requests, summary.failed, summary.wrong, summary.combined,
          summary.failovers, Ms(summary.first_answer), Ms(summary.worst), Ms(stream.starved()));
      EXPECT_EQ(summary.wrong, 0);
      EXPECT_GT(summary.combined, 0) << "the fault met no combined answer";
      EXPECT_TRUE(group.AllAnswer()) << "not used again: " << group.requester().Log();
      if (summary.failed > 0 && stream.starved() > kStarved && round + 1 < kRounds) continue;
      EXPECT_EQ(summary.failed, 0) << summary.first_failure << "\n" << group.requester().Log();
      return;
    }
  }
  static double Ms(Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
  }
};

TEST_P(FaultsTest, AKilledDeviceCostsNoRequestAndIsUsedAgain) {
  Survive(
      "kill", [](ProcessGroup& group) { group.Kill(1); },
      [](ProcessGroup& group) { group.Restart(1); });
}

TEST_P(FaultsTest, AFrozenDeviceCostsNoRequestAndIsUsedAgain) {
  Survive(
      "freeze", [](ProcessGroup& group) { group.child(0).Signal(SIGSTOP); },
      [](ProcessGroup& group) { group.child(0).Signal(SIGCONT); });
}

TEST_P(FaultsTest, ACutLinkToTheRequesterCostsNoRequest) {
  Survive(
      "cut link", [](ProcessGroup& group) { group.link_to(1).Cut(); },
      [](ProcessGroup& group) { group.link_to(1).Restore(); });
}

TEST_P(FaultsTest, AStalledLinkToTheRequesterCostsNoRequest) {
  Survive(
      "stalled link", [](ProcessGroup& group) { group.link_to(0).SetFrozen(true); },
      [](ProcessGroup& group) { group.link_to(0).SetFrozen(false); });
}

TEST_P(FaultsTest, ACutLinkBetweenTwoOthersCostsNoRequest) {
  Survive(
      "cut link between others", [](ProcessGroup& group) { group.link_of_children().Cut(); },
      [](ProcessGroup& group) { group.link_of_children().Restore(); });
}

TEST_P(FaultsTest, AStalledLinkBetweenTwoOthersCostsNoRequest) {
  Survive(
      "stalled link between others",
      [](ProcessGroup& group) { group.link_of_children().SetFrozen(true); },
      [](ProcessGroup& group) { group.link_of_children().SetFrozen(false); });
}

INSTANTIATE_TEST_SUITE_P(Ways, FaultsTest,
                         ::testing::Values(sim::Preferred::kCombined, sim::Preferred::kAdded),
                         [](const auto& info) {
                           return info.param == sim::Preferred::kAdded ? "Added" : "Combined";
                         });

}  // namespace
}  // namespace braid::cluster::testing
