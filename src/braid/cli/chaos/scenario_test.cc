// The form of scenario files: what is read, and what each mistake is called.
#include "braid/cli/chaos/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace braid::cli {
namespace {

using testing::HasSubstr;

std::string With(const std::string& faults) {
  return R"({"name": "n", "about": "a", "faults": [)" + faults + "]}";
}

TEST(ScenarioTest, IsReadWithItsRolesInOrderOfFirstUse) {
  const auto scenario = ParseScenario(R"({
    "name": "two", "about": "things", "recovery_goal_ms": 50,
    "faults": [
      {"fault": "slow-link", "on": "left", "to": "right", "for_ms": [10, 20], "delay_ms": 5, "rate_mbit": [0, 10]},
      {"fault": "kill", "on": "right", "at_ms": 100, "for_ms": 30}
    ]})");
  ASSERT_TRUE(scenario.ok()) << scenario.status().ToString();
  EXPECT_EQ(scenario->name, "two");
  EXPECT_EQ(scenario->recovery_goal_ms, 50);
  EXPECT_THAT(scenario->roles, testing::ElementsAre("left", "right"));
  ASSERT_EQ(scenario->faults.size(), 2u);
  const FaultSpec& link = scenario->faults[0];
  EXPECT_EQ(link.kind, FaultKind::kSlowLink);
  EXPECT_EQ(link.on, 0);
  EXPECT_EQ(link.to, 1);
  EXPECT_EQ(link.for_ms, (Range{10, 20}));
  EXPECT_EQ(link.delay_ms, (Range{5, 5}));
  EXPECT_EQ(link.rate_mbit, (Range{0, 10}));
  EXPECT_EQ(scenario->faults[1].on, 1);
  EXPECT_EQ(scenario->faults[1].at_ms, (Range{100, 100}));
}

TEST(ScenarioTest, MistakesAreNamed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{", "is not a JSON object"},
      {"[]", "is not a JSON object"},
      {R"({"about": "a", "faults": []})", "name: must be a text"},
      {R"({"name": "", "about": "a", "faults": []})", "name: must not be empty"},
      {R"({"name": "n", "faults": []})", "about: must be a text"},
      {R"({"name": "n", "about": "a"})", "faults: must be an array of 1 to 16"},
      {With(""), "faults: must be an array of 1 to 16"},
      {With("3"), "faults[0] must be an object"},
      {With(R"({"fault": "flood", "on": "x", "for_ms": 1})"), "\"flood\" is none of kill, freeze"},
      {With(R"({"fault": "kill", "for_ms": 1})"), "faults[0].on: must be a text"},
      {With(R"({"fault": "kill", "on": "x"})"), "faults[0].for_ms: is missing"},
      {With(R"({"fault": "kill", "on": "x", "for_ms": "1"})"), "must be a number or [least, most]"},
      {With(R"({"fault": "kill", "on": "x", "for_ms": [2, 1]})"), "must not be the larger one"},
      {With(R"({"fault": "kill", "on": "x", "for_ms": -1})"), "for_ms: must be within"},
      {With(R"({"fault": "kill", "on": "x", "for_ms": 1, "delay_ms": 1})"),
       "faults[0].delay_ms: is no field of a kill"},
      {With(R"({"fault": "kill", "on": "x", "to": "y", "for_ms": 1})"), "faults[0].to: is no field"},
      {With(R"({"fault": "partition", "on": "x", "for_ms": 1})"), "faults[0].to: must be a text"},
      {With(R"({"fault": "partition", "on": "x", "to": "x", "for_ms": 1})"), "another device"},
      {With(R"({"fault": "lossy-link", "on": "x", "to": "y", "for_ms": 1, "loss": 2})"),
       "faults[0].loss: must be within"},
      {With(R"({"fault": "clock-jump", "on": "x", "for_ms": 1})"), "faults[0].jump_s: is missing"},
      {With(R"({"fault": "rolling-upgrade", "on": "x"})"), "faults[0].on: is no field"},
      {With(R"({"fault": "rolling-upgrade"}, {"fault": "restart", "on": "x"})"), "must be alone"},
      {With(R"({"fault": "kill", "on": "x", "for_ms": 9}, {"fault": "freeze", "on": "x", "for_ms": 9})"),
       "faults[1]: may overlap faults[0]"},
      {With(R"({"fault": "restart", "on": "x"}, {"fault": "freeze", "on": "x", "at_ms": 99, "for_ms": 9})"),
       "faults[1]: may overlap faults[0]"},
      {With(R"({"fault": "partition", "on": "x", "to": "y", "for_ms": 9}, {"fault": "cut-link", "on": "y", "to": "x", "for_ms": 9})"),
       "faults[1]: may overlap faults[0]"},
      {R"({"name": "n", "about": "a", "recovery_goal_ms": 0, "faults": [{"fault": "restart", "on": "x"}]})",
       "recovery_goal_ms: must be a number above 0"},
      {R"({"name": "n", "about": "a", "seed": 1, "faults": [{"fault": "restart", "on": "x"}]})",
       "seed: is no field of a scenario"},
  };
  for (const auto& [text, message] : cases) {
    const auto scenario = ParseScenario(text);
    ASSERT_FALSE(scenario.ok()) << text;
    EXPECT_EQ(scenario.status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(scenario.status().message(), HasSubstr(message)) << text;
  }
}

TEST(ScenarioTest, FaultsOnOneDeviceMayFollowEachOther) {
  EXPECT_TRUE(ParseScenario(With(R"({"fault": "kill", "on": "x", "for_ms": [5, 9]},
                                    {"fault": "freeze", "on": "x", "at_ms": 10, "for_ms": 9})"))
                  .ok());
}

TEST(ScenarioTest, TheFilesOfTheProjectHaveEveryKindOfFault) {
  std::vector<std::string> names;
  std::set<FaultKind> kinds;
  for (const char* name :
       {"kill", "freeze", "restart", "slow-link", "lossy-link", "one-way-partition", "partition",
        "clock-jump", "full-disk", "memory-limit", "wrong-model", "rolling-upgrade",
        "freeze-and-restart"}) {
    names.push_back(std::string(BRAID_SCENARIOS) + "/" + name + ".json");
  }
  const auto scenarios = ReadScenarios(names);
  ASSERT_TRUE(scenarios.ok()) << scenarios.status().ToString();
  for (const Scenario& scenario : *scenarios) {
    for (const FaultSpec& fault : scenario.faults) kinds.insert(fault.kind);
  }
  EXPECT_EQ(kinds.size(), 13u);
  const auto missing = ReadScenarios({"no-such-scenario"});
  EXPECT_EQ(missing.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(missing.status().message(), HasSubstr("no-such-scenario"));
  names.push_back(names.front());
  EXPECT_THAT(ReadScenarios(names).status().message(), HasSubstr("another scenario is called"));
}

}  // namespace
}  // namespace braid::cli
