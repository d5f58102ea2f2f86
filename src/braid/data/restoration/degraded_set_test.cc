#include "braid/data/restoration/degraded_set.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "braid/base/file.h"
#include "braid/data/image_file.h"
#include "braid/data/restoration/measurement.h"

namespace braid::data {
namespace {

class DegradedSetTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(root_); }
  void TearDown() override { std::filesystem::remove_all(root_); }

  // A flat picture under <root>/<folder>/NAME.png.
  void Put(const std::string& folder, const std::string& name, int height, int width,
           uint8_t level) {
    std::filesystem::create_directories(root_ + "/" + folder);
    const std::vector<uint8_t> pixels(static_cast<size_t>(height * width), level);
    const auto png = EncodePng(pixels, {height, width, 1});
    ASSERT_TRUE(png.ok());
    ASSERT_TRUE(WriteFileAtomically(root_ + "/" + folder + "/" + name + ".png", *png).ok());
  }

  Status Load(const std::string& name) { return LoadDegradedSet(name, {root_}).status(); }

  const std::string root_ = testing::TempDir() + "/braid_degraded_set";
};

TEST_F(DegradedSetTest, PairsCodedImagesWithTheirOriginals) {
  for (const char* name : {"a", "b"}) {
    Put("sr/Classic5", name, 6, 9, 100);
    for (const int qp : {22, 27, 32, 37}) {
      Put("hevc/qp" + std::to_string(qp) + "/Classic5", name, 6, 9, static_cast<uint8_t>(80 + qp / 2));
    }
  }
  const auto set = LoadDegradedSet("classic5-hevc", {root_ + "/nothing", root_});
  ASSERT_TRUE(set.ok()) << set.status().ToString();
  EXPECT_EQ(set->levels, (std::vector<int>{22, 27, 32, 37}));
  const ImagePair pair = PairOf(*set, 3, 1);
  EXPECT_EQ(pair.original.name, "b");
  EXPECT_EQ(pair.original.pixels[0], 100);
  EXPECT_EQ(pair.degraded.pixels[0], 98);

  // Restoring to the original but for one level of gray.
  const auto psnr = MeasurePsnr({*set}, [](const LumaImage& image) -> Result<LumaImage> {
    LumaImage out = image;
    out.pixels.assign(out.pixels.size(), 101);
    return out;
  });
  ASSERT_TRUE(psnr.ok());
  ASSERT_EQ(psnr->size(), 4u);
  EXPECT_EQ((*psnr)[3].level, 37);
  EXPECT_NEAR((*psnr)[3].restored, 48.13, 0.01);
  EXPECT_NEAR((*psnr)[3].degraded, 48.13 - 6.02, 0.01);

  const auto one = LoadDegradedSet("classic5-hevc37", {root_});
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->levels, std::vector<int>{37});
  EXPECT_NE(one->digest, set->digest);
  const DegradedSet part = TakeImages(*set, 1, 1);
  EXPECT_EQ(part.name, "classic5-hevc[1:2]");
  EXPECT_EQ(PairOf(part, 0, 0).degraded.name, "b");
  EXPECT_NE(part.digest, set->digest);

  Put("hevc/qp27/Classic5", "b", 6, 9, 3);
  EXPECT_NE(LoadDegradedSet("classic5-hevc", {root_})->digest, set->digest);
}

TEST_F(DegradedSetTest, RefusesCodedImagesThatAreNotOfTheOriginals) {
  for (const char* name : {"classic5-hevc23", "classic5-", "-hevc", "mnist-hevc", "classic5-hevc "}) {
    EXPECT_FALSE(IsDegradedSet(name)) << name;
    EXPECT_EQ(Load(name).code(), StatusCode::kInvalidArgument) << name;
  }
  Put("sr/Classic5", "a", 6, 9, 100);
  EXPECT_EQ(Load("classic5-hevc22").code(), StatusCode::kNotFound);
  EXPECT_NE(Load("classic5-hevc22").message().find("tools/code_images.py"), std::string::npos);
  Put("hevc/qp22/Classic5", "a", 6, 8, 100);
  EXPECT_EQ(Load("classic5-hevc22").code(), StatusCode::kDataLoss);
  Put("hevc/qp22/Classic5", "a", 6, 9, 100);
  EXPECT_EQ(Load("classic5-hevc22").ToString(), "OK");
  Put("hevc/qp22/Classic5", "b", 6, 9, 100);
  EXPECT_EQ(Load("classic5-hevc22").code(), StatusCode::kDataLoss);
}

TEST_F(DegradedSetTest, ReducedImagesHaveOriginalsOfWholeMultiples) {
  Put("sr/Set5", "a", 13, 11, 50);
  const auto set = LoadDegradedSet("set5", {root_});
  ASSERT_TRUE(set.ok()) << set.status().ToString();
  EXPECT_EQ(set->levels, (std::vector<int>{2, 3, 4}));
  EXPECT_EQ(set->digest, set->originals.digest);
  const ImagePair pair = PairOf(*set, 1, 0);
  EXPECT_EQ(pair.original.height, 12);
  EXPECT_EQ(pair.degraded.width, 9);
  EXPECT_EQ(BorderOf(set->degradation, 3), 3);
}

}  // namespace
}  // namespace braid::data
