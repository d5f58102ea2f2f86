// Generated candidates for test vectors.
#include "braid/verify/candidate_images.h"

#include <gtest/gtest.h>

#include <set>

#include "braid/base/digest.h"

namespace braid::verify {
namespace {

TEST(CandidateImagesTest, AreTheSameOnEveryMachine) {
  const std::vector<uint8_t> images = CandidateImages(8, 9, 7, 3, 1);
  ASSERT_EQ(images.size(), size_t{8 * 9 * 7 * 3});
  // Changes with the generator: then test vectors of models made before are other ones, still valid.
  EXPECT_EQ(ToHex(Sha256(images)),
            "fecc8ac7fb7a4bc5cb86b3bad72bc4172b024c2d8f9874789d3a3074beb9dd1e");
  EXPECT_EQ(CandidateImages(8, 9, 7, 3, 1), images);
  EXPECT_NE(CandidateImages(8, 9, 7, 3, 2), images);
}

TEST(CandidateImagesTest, VaryAndFitAnySize) {
  for (const auto& [h, w, c] : {std::tuple{1, 1, 1}, {1, 40, 2}, {40, 1, 1}, {28, 28, 1}}) {
    const std::vector<uint8_t> images = CandidateImages(12, h, w, c, 5);
    const auto bytes = static_cast<ptrdiff_t>(h * w * c);
    ASSERT_EQ(static_cast<ptrdiff_t>(images.size()), 12 * bytes);
    std::set<std::vector<uint8_t>> distinct;
    for (int i = 0; i < 12; ++i) {
      distinct.insert({images.begin() + i * bytes, images.begin() + (i + 1) * bytes});
    }
    EXPECT_GE(distinct.size(), size_t{6}) << h << "x" << w << "x" << c;
  }
}

}  // namespace
}  // namespace braid::verify
