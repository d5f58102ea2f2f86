// All scenarios for half a minute: no request fails, no answer is wrong. How fast a group recovers is
// measured by `braid chaos`, not tested: that depends on the machine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>

#include "braid/cli/process_testing.h"
#include "braid/cli/report.h"

namespace braid::cli {
namespace {

class ChaosTest : public ProcessTest {};

TEST_F(ChaosTest, HalfAMinuteOfAllScenariosFailsNoRequestAndGivesNoWrongAnswer) {
  // The rate and the length leave a watched (sanitized) program time.
  const std::string command = std::string(BRAID_PROGRAM) +
                              " chaos --seconds 30 --seed 1 --rate 100 --accuracy-floor 0 --offline"
                              " --data digits --limit 200 --report " + In("report.json") +
                              " --model " + ModelPath() + " >" + In("out");
  const int status = std::system(command.c_str());
  std::ifstream file(In("report.json"));
  const Json report = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  ASSERT_TRUE(report.is_object());
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << report.dump(1);
  EXPECT_EQ(report["failed"], 0) << report.dump(1);
  EXPECT_EQ(report["lost"], 0);
  EXPECT_EQ(report["wrong"], 0) << report.dump(1);
  EXPECT_TRUE(report["violations"].empty()) << report.dump(1);
  EXPECT_GT(report["requests"], 1000);
  EXPECT_GT(report["faults"], 10);
  EXPECT_GT(report["failovers"], 0) << "the faults met no request";
}

}  // namespace
}  // namespace braid::cli
