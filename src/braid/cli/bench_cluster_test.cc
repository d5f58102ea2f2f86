// `braid bench cluster` from outside, on the committed models.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "braid/cli/child_process.h"

namespace braid::cli {
namespace {

TEST(BenchClusterTest, MeasuresEveryWayOfUsingTwoDevices) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "needs two cores to pin devices to";
  auto bench = ChildProcess::Start({BRAID_PROGRAM, "bench", "cluster", "--models", BRAID_MODELS,
                                    "--quick", "--rounds", "1", "--measure-ms", "100", "--json"});
  ASSERT_TRUE(bench.ok()) << bench.status().ToString();
  std::string output;
  while (true) {
    const Result<std::string> line = (*bench)->ReadLine(std::chrono::seconds(60));
    if (!line.ok()) break;
    output += *line + "\n";
  }
  const Result<int> status = (*bench)->Wait(std::chrono::seconds(10));
  ASSERT_TRUE(status.ok()) << status.status().ToString();
  ASSERT_EQ(*status, 0);
  const auto report = nlohmann::json::parse(output, nullptr, /*allow_exceptions=*/false);
  ASSERT_TRUE(report.is_object()) << output;
  ASSERT_EQ(report["cases"].size(), 1u);
  for (const char* key : {"single_ips", "replicated_ips", "static_ips", "dynamic_ips",
                          "fluid_ha_ips", "fluid_sum_ips", "fluid_ht_ips"}) {
    EXPECT_GT(report["cases"][0][key].get<double>(), 0) << key;
  }
}

TEST(BenchClusterTest, SaysWhichModelIsMissing) {
  auto bench =
      ChildProcess::Start({BRAID_PROGRAM, "bench", "cluster", "--models", "/nowhere", "--quick"});
  ASSERT_TRUE(bench.ok()) << bench.status().ToString();
  const Result<int> status = (*bench)->Wait(std::chrono::seconds(30));
  ASSERT_TRUE(status.ok()) << status.status().ToString();
  EXPECT_EQ(*status, 1 << 8);  // exit code 1
}

}  // namespace
}  // namespace braid::cli
