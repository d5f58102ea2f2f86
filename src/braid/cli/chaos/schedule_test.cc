// The schedule: the same for one seed, fair to all scenarios, never on all devices.
#include "braid/cli/chaos/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace braid::cli {
namespace {

std::vector<Scenario> Scenarios() {
  std::vector<Scenario> scenarios;
  for (const char* text : {
           R"({"name": "a", "about": "", "faults": [{"fault": "kill", "on": "x", "for_ms": [100, 200]},
               {"fault": "freeze", "on": "y", "at_ms": [0, 50], "for_ms": 10}]})",
           R"({"name": "b", "about": "", "faults": [{"fault": "slow-link", "on": "x", "to": "y",
               "for_ms": 10, "delay_ms": [1, 9], "rate_mbit": [1, 2]}]})",
           R"({"name": "c", "about": "", "faults": [{"fault": "rolling-upgrade"}]})",
           R"({"name": "d", "about": "", "faults": [{"fault": "clock-jump", "on": "x", "for_ms": 10,
               "jump_s": [-5, 5]}]})"}) {
    auto scenario = ParseScenario(text);
    EXPECT_TRUE(scenario.ok()) << scenario.status().ToString();
    scenarios.push_back(std::move(scenario).value());
  }
  return scenarios;
}

TEST(ScheduleTest, IsTheSameForOneSeedAndAnotherForAnother) {
  const std::vector<Scenario> scenarios = Scenarios();
  auto first = Schedule::Make(&scenarios, 3, 7);
  auto again = Schedule::Make(&scenarios, 3, 7);
  auto other = Schedule::Make(&scenarios, 3, 8);
  ASSERT_TRUE(first.ok() && again.ok() && other.ok());
  int differs = 0;
  for (int i = 0; i < 200; ++i) {
    const Round round = first->Next(), same = again->Next(), different = other->Next();
    EXPECT_EQ(round.scenario, same.scenario);
    EXPECT_EQ(round.faults, same.faults);
    differs += round.faults == different.faults ? 0 : 1;
  }
  EXPECT_GT(differs, 100);
}

TEST(ScheduleTest, TakesEveryScenarioOnceBeforeOneTwice) {
  const std::vector<Scenario> scenarios = Scenarios();
  auto schedule = Schedule::Make(&scenarios, 3, 1);
  std::set<std::vector<int>> orders;
  for (int turn = 0; turn < 50; ++turn) {
    std::vector<int> order;
    for (int i = 0; i < 4; ++i) order.push_back(schedule->Next().scenario);
    EXPECT_THAT(order, testing::UnorderedElementsAre(0, 1, 2, 3));
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 5u);
}

TEST(ScheduleTest, DrawsWithinTheRangesAndLeavesADeviceAlone) {
  const std::vector<Scenario> scenarios = Scenarios();
  auto schedule = Schedule::Make(&scenarios, 3, 1);
  std::set<int> killed;
  for (int i = 0; i < 400; ++i) {
    const Round round = schedule->Next();
    std::set<int> touched;
    for (const PlannedFault& fault : round.faults) {
      EXPECT_TRUE(fault.on >= 0 && fault.on < 3 && fault.to >= 0 && fault.to < 3);
      touched.insert(fault.on);
      switch (fault.kind) {
        case FaultKind::kKill:
          killed.insert(fault.on);
          EXPECT_GE(fault.lasts, std::chrono::milliseconds(100));
          EXPECT_LE(fault.lasts, std::chrono::milliseconds(200));
          break;
        case FaultKind::kSlowLink:
          EXPECT_NE(fault.on, fault.to);
          EXPECT_GE(fault.delay, std::chrono::milliseconds(1));
          EXPECT_LE(fault.delay, std::chrono::milliseconds(9));
          EXPECT_GE(fault.bits_per_second, 1'000'000);
          EXPECT_LE(fault.bits_per_second, 2'000'000);
          break;
        case FaultKind::kClockJump:
          EXPECT_LE(std::chrono::abs(fault.jump), std::chrono::seconds(5));
          break;
        default:
          break;
      }
    }
    EXPECT_LT(touched.size(), 3u);
    EXPECT_TRUE(std::is_sorted(round.faults.begin(), round.faults.end(),
                               [](const auto& a, const auto& b) { return a.at < b.at; }));
  }
  EXPECT_EQ(killed.size(), 3u) << "every device has its turn";
}

TEST(ScheduleTest, RefusesFaultsOnAllDevicesAtOnce) {
  const std::vector<Scenario> scenarios = Scenarios();
  const auto two = Schedule::Make(&scenarios, 2, 1);
  ASSERT_FALSE(two.ok());
  EXPECT_THAT(two.status().message(), testing::HasSubstr("one must always be free"));
  const std::vector<Scenario> none;
  EXPECT_FALSE(Schedule::Make(&none, 3, 1).ok());
}

}  // namespace
}  // namespace braid::cli
