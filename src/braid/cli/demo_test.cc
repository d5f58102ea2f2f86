// The whole demo on a random network: the kill, the restart, every answer checked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "braid/cli/process_testing.h"

namespace braid::cli {
namespace {

class DemoTest : public ProcessTest {
 protected:
  // Runs the program to its end; its standard output is one line after another.
  nlohmann::json Run(const std::string& arguments, int* code) {
    const std::string command = std::string(BRAID_PROGRAM) + " " + arguments + " >" + In("out");
    const int status = std::system(command.c_str());
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    std::ifstream file(In("out"));
    return nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  }
};

TEST_F(DemoTest, AKilledDeviceCostsNoRequestAndNoAnswerIsWrong) {
  int code = -1;
  const nlohmann::json report =
      Run("demo --json --offline --data digits --limit 300 --seconds 0.5 --model " + ModelPath(),
          &code);
  ASSERT_EQ(code, 0) << report.dump(1);
  EXPECT_EQ(report["dataset"], "digits");
  EXPECT_EQ(report["failed"], 0);
  EXPECT_EQ(report["wrong"], 0);
  EXPECT_EQ(report["killed"], "device-b");
  EXPECT_GT(report["first_answer_after_kill_ms"], 0);
  ASSERT_EQ(report["devices"].size(), 2u);
  EXPECT_EQ(report["devices"][0]["share"], "0,1");
  EXPECT_GT(report["devices"][1]["resident_bytes"], 0);
  std::vector<std::string> names;
  for (const auto& phase : report["phases"]) {
    names.push_back(phase["name"]);
    EXPECT_GT(phase["images"], 0) << phase.dump();
    EXPECT_GT(phase["ips"], 0) << phase.dump();
    EXPECT_EQ(phase["failed"], 0) << phase.dump();
  }
  EXPECT_THAT(names, testing::ElementsAre("combined", "side-by-side", "before-kill", "after-kill",
                                          "after-restart"));
  EXPECT_TRUE(report["phases"][0]["operating_points"].contains("g0-3"));
  EXPECT_TRUE(report["phases"][1]["operating_points"].contains("g0+1"));
  EXPECT_TRUE(report["phases"][1]["operating_points"].contains("g2+3"));
}

TEST_F(DemoTest, SaysWhatIsMissing) {
  int code = -1;
  Run("demo --offline --data digits --model " + In("missing.braid") + " 2>" + In("err"), &code);
  EXPECT_EQ(code, 1);
  std::ifstream file(In("err"));
  const std::string err{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(err, testing::HasSubstr("missing.braid"));
}

}  // namespace
}  // namespace braid::cli
