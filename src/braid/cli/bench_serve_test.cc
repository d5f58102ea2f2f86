// `braid bench serve` as people start it: a short run. Of its figures only those are judged that do
// not depend on the machine's speed: the capacity is measured in the same run.
#include <gtest/gtest.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

namespace braid::cli {
namespace {

TEST(BenchServeTest, MeasuresBothDoorsBesideAnEchoServer) {
  const std::string command = std::string(BRAID_PROGRAM) +
                              " bench serve --json --cpu -1 --rounds 1 --measure-ms 200"
                              " --in-flight 4 --overload-seconds 3 --deadline-ms 500 --model " +
                              BRAID_MODELS + "/fluid2_mnist_s1.braid";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string text;
  char buffer[4096];
  for (size_t n; (n = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) text.append(buffer, n);
  ASSERT_EQ(::pclose(pipe), 0) << text;
  const auto report = nlohmann::json::parse(text);
  ASSERT_EQ(report.at("doors").size(), 2u);
  for (const auto& door : report.at("doors")) {
    EXPECT_GT(door.at("echo").at("rps"), 0.0);
    EXPECT_GT(door.at("device").at("rps"), 0.0);
    EXPECT_GT(door.at("ratio"), 0.0);
    EXPECT_GT(door.at("half_load").at("in_time"), 0);
    const auto& overload = door.at("overload");
    EXPECT_EQ(overload.at("sent"), overload.at("in_time").get<int64_t>() +
                                       overload.at("late").get<int64_t>() +
                                       overload.at("refused").get<int64_t>() +
                                       overload.at("failed").get<int64_t>());
    EXPECT_EQ(overload.at("failed"), 0);
    EXPECT_GT(overload.at("rps_in_the_second_after"), 0.0);
    // What was taken on is answered in time, the rest refused; memory does not follow the time.
    EXPECT_GE(overload.at("kept"), 0.9) << overload;  // a machine may stutter
    EXPECT_GT(overload.at("in_time"), 0);
    constexpr int64_t kSlack = 16 << 20;
    EXPECT_LE(overload.at("resident_bytes_most").get<int64_t>(),
              overload.at("resident_bytes_early").get<int64_t>() + kSlack);
  }
}

}  // namespace
}  // namespace braid::cli
