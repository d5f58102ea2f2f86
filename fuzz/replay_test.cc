// Every fuzz target over its own seeds and over regressions/TARGET/, where each input that once
// broke something is kept, and what no seed makes: what fuzzing found stays found, in every build.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "braid/base/file.h"
#include "fuzz/target.h"

namespace braid::fuzz {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> InputsOf(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

class ReplayTest : public testing::TestWithParam<Target> {};

TEST_P(ReplayTest, TakesItsSeedsWholeAndDamaged) {
  const std::vector<Bytes> seeds = GetParam().seeds();
  ASSERT_FALSE(seeds.empty());
  GetParam().run({});
  for (size_t i = 0; i < seeds.size(); ++i) {
    SCOPED_TRACE("seed " + std::to_string(i));
    GetParam().run(seeds[i]);
    GetParam().run(std::span(seeds[i]).first(seeds[i].size() / 2));
    // A few changed bytes, at places that depend on nothing but the seed's size.
    Bytes changed = seeds[i];
    for (size_t at = 7; at < changed.size(); at += 1 + changed.size() / 3) changed[at] ^= 0x81;
    GetParam().run(changed);
  }
}

TEST_P(ReplayTest, TakesEverythingThatOnceBrokeIt) {
  for (const fs::path& path : InputsOf(fs::path(BRAID_FUZZ_REGRESSIONS) / GetParam().name)) {
    SCOPED_TRACE(path.string());
    const auto bytes = ReadFile(path.string());
    ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
    GetParam().run(*bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, ReplayTest, testing::ValuesIn(Targets().begin(), Targets().end()),
                         [](const auto& target) { return std::string(target.param.name); });

TEST(RegressionsTest, BelongToATarget) {
  for (const fs::path& folder : InputsOf(BRAID_FUZZ_REGRESSIONS)) {
    EXPECT_NE(FindTarget(folder.filename().string()), nullptr) << folder;
  }
}

}  // namespace
}  // namespace braid::fuzz
