// `braid infer --endpoint ... --local-model FILE` when its devices are dead, frozen or fine.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "braid/cli/process_testing.h"

namespace braid::cli {
namespace {

using std::chrono::seconds;

class LastResortTest : public ProcessTest {
 protected:
  // Its report; null when it failed.
  nlohmann::json Infer(const std::string& arguments) {
    const std::string command = std::string(BRAID_PROGRAM) +
                                " infer --json --data digits --index 0..3 --kernels scalar " +
                                arguments + " 2>/dev/null";
    std::FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return {};
    std::string text;
    char buffer[4096];
    for (size_t n; (n = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) text.append(buffer, n);
    return ::pclose(pipe) == 0 ? nlohmann::json::parse(text, nullptr, false) : nlohmann::json();
  }

  static void ExpectAllFrom(const nlohmann::json& report, bool locally) {
    ASSERT_TRUE(report.is_object()) << "braid infer failed";
    ASSERT_EQ(report.at("images").size(), 4u);
    for (const auto& image : report.at("images")) {
      EXPECT_EQ(image.at("answered_locally"), locally);
      EXPECT_EQ(image.at("endpoint") == "local", locally);
      EXPECT_FALSE(image.at("operating_point").get<std::string>().empty());
    }
  }
};

TEST_F(LastResortTest, TheOwnModelAnswersOnlyWhenNoEndpointDoes) {
  DeviceProcessOptions options = Device("a", "all");
  options.more = {"--quiet"};
  auto device = DeviceProcess::Start(options, seconds(60));
  ASSERT_TRUE(device.ok()) << device.status().ToString();
  const std::string endpoints = "--endpoint 127.0.0.1:1 --endpoint " + (*device)->grpc();
  const std::string local = " --local-model " + ModelPath();
  // Deadlines far beyond need but where the frozen device makes them pass.
  const auto remote = Infer(endpoints + local + " --hedge --deadline-ms 30000");
  ExpectAllFrom(remote, false);

  (*device)->Signal(SIGSTOP);
  const auto frozen = Infer(endpoints + local + " --deadline-ms 1000 --local-reserve-ms 900");
  ExpectAllFrom(frozen, true);
  (*device)->Signal(SIGCONT);

  (*device)->Signal(SIGKILL);
  ASSERT_TRUE((*device)->Wait(seconds(60)).ok());
  const auto dead = Infer(endpoints + local + " --deadline-ms 2000");
  ExpectAllFrom(dead, true);
  // The same network by the same rules: the same bits.
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(dead["images"][i]["logits"], remote["images"][i]["logits"]);
    EXPECT_EQ(dead["images"][i]["operating_point"], remote["images"][i]["operating_point"]);
  }
  EXPECT_TRUE(Infer(endpoints + " --deadline-ms 300").is_null());
  EXPECT_TRUE(Infer("--local-model " + ModelPath()).is_null());  // the last resort of nothing
}

}  // namespace
}  // namespace braid::cli
