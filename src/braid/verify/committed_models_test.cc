// The models in the source tree give the bits of their test vectors on every path of this processor.
#include <gtest/gtest.h>

#include <filesystem>

#include "braid/model/file.h"
#include "braid/verify/comparison.h"

namespace braid::verify {
namespace {

TEST(CommittedModelsTest, GiveTheBitsOfTheirTestVectors) {
  const std::vector<kernels::Path> paths = kernels::SupportedPaths();
  int verified = 0;
  for (const auto& entry : std::filesystem::directory_iterator(BRAID_MODELS)) {
    if (entry.path().extension() != ".braid") continue;
    const Result<model::ModelFile> file = model::ReadModelFile(entry.path().string());
    ASSERT_TRUE(file.ok()) << file.status().ToString();
    if (file->network.test_images.empty()) continue;  // made before there were test vectors
    const Result<Comparison> comparison = Compare(file->network, paths);
    ASSERT_TRUE(comparison.ok()) << comparison.status().ToString();
    EXPECT_FALSE(comparison->difference.has_value()) << entry.path();
    EXPECT_GT(comparison->compared, 0);
    ++verified;
  }
  if (verified == 0) GTEST_SKIP() << "no model in " << BRAID_MODELS << " has test vectors";
}

}  // namespace
}  // namespace braid::verify
