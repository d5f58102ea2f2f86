// Bicubic interpolation, luma, PSNR and the image sets of super-resolution.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "braid/base/file.h"
#include "braid/base/rng.h"
#include "braid/data/dataset.h"
#include "braid/data/image_file.h"
#include "braid/data/super_resolution/bicubic.h"
#include "braid/data/super_resolution/colour.h"
#include "braid/data/super_resolution/luma_image.h"
#include "braid/data/super_resolution/luma_set.h"

namespace braid::data {
namespace {

LumaImage Noise(int height, int width, uint64_t seed) {
  LumaImage image{"noise", height, width, {}};
  Rng rng(seed);
  for (int i = 0; i < height * width; ++i) image.pixels.push_back(static_cast<uint8_t>(rng.Next()));
  return image;
}

double RealKernel(double x) {
  x = std::abs(x);
  if (x <= 1) return 1.5 * x * x * x - 2.5 * x * x + 1;
  if (x < 2) return -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2;
  return 0;
}

// The definition, in floating point, one output pixel at a time.
double RealPixel(const LumaImage& image, double factor, int y, int x) {
  const double shrink = std::min(factor, 1.0);
  const double cy = (y + 0.5) / factor - 0.5, cx = (x + 0.5) / factor - 0.5;
  const auto mirrored = [](int i, int size) {
    while (i < 0 || i >= size) i = i < 0 ? -1 - i : 2 * size - 1 - i;
    return i;
  };
  const int reach = static_cast<int>(std::ceil(2 / shrink)) + 1;
  double sum = 0, weights = 0;
  for (int j = static_cast<int>(cy) - reach; j <= cy + reach; ++j) {
    for (int i = static_cast<int>(cx) - reach; i <= cx + reach; ++i) {
      const double weight = RealKernel((cy - j) * shrink) * RealKernel((cx - i) * shrink);
      weights += weight;
      sum += weight * image.pixels[image.Row(mirrored(j, image.height)) +
                                   static_cast<size_t>(mirrored(i, image.width))];
    }
  }
  return std::clamp(sum / weights, 0.0, 255.0);
}

TEST(BicubicTest, IsTheDefinitionRounded) {
  const LumaImage image = Noise(24, 36, 3);
  for (const int scale : {1, 2, 3, 4}) {
    const LumaImage large = Enlarge(image, scale), small = Reduce(image, scale);
    ASSERT_EQ(large.height, 24 * scale);
    ASSERT_EQ(small.width, 36 / scale);
    for (const auto& [out, factor] :
         {std::pair(&large, double(scale)), std::pair(&small, 1.0 / scale)}) {
      for (int y = 0; y < out->height; ++y) {
        for (int x = 0; x < out->width; ++x) {
          const double real = RealPixel(image, factor, y, x);
          const int got = out->pixels[out->Row(y) + static_cast<size_t>(x)];
          // Half a step for the rounding and 1/100 for the integer weights.
          ASSERT_NEAR(got, real, 0.51) << "factor " << factor << " at " << y << "," << x;
        }
      }
    }
  }
}

TEST(BicubicTest, LeavesFlatImagesAsTheyAre) {
  for (const int value : {0, 1, 127, 254, 255}) {
    LumaImage flat{"", 12, 12, std::vector<uint8_t>(144, static_cast<uint8_t>(value))};
    for (const int scale : {1, 2, 3, 4, 6}) {
      for (const uint8_t pixel : Degrade(flat, scale).pixels) ASSERT_EQ(pixel, value);
    }
  }
}

TEST(LumaTest, FollowsTheRecommendation) {
  // Black, white, and the three primaries.
  EXPECT_EQ(
      LumaOfRgb(std::vector<uint8_t>{0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255}),
      (std::vector<uint8_t>{16, 235, 81, 145, 41}));
}

TEST(LumaTest, PsnrLeavesTheBorderOut) {
  LumaImage a{"", 6, 8, std::vector<uint8_t>(48, 100)}, b = a;
  EXPECT_EQ(Psnr(a, b, 0), std::numeric_limits<double>::infinity());
  b.pixels[0] = 200;  // in the border
  EXPECT_EQ(Psnr(a, b, 1), std::numeric_limits<double>::infinity());
  b.pixels[b.Row(2) + 3] = 110;
  // One difference of 10 in 4 x 6 pixels.
  EXPECT_NEAR(Psnr(a, b, 1), 10 * std::log10(255.0 * 255 / (100.0 / 24)), 1e-12);
}

TEST(LumaTest, CropsToWholeMultiples) {
  const LumaImage cropped = CropToMultiple(Noise(13, 22, 1), 4);
  EXPECT_EQ(cropped.height, 12);
  EXPECT_EQ(cropped.width, 20);
  const LumaImage whole = Noise(13, 22, 1);
  EXPECT_EQ(cropped.pixels[cropped.Row(11) + 19], whole.pixels[whole.Row(11) + 19]);
}

Result<LumaImage> Same(const LumaImage& image) { return image; }
Result<LumaImage> Brighter(const LumaImage& image) {
  LumaImage out = image;
  for (uint8_t& pixel : out.pixels) pixel = static_cast<uint8_t>(std::min(235, pixel + 10));
  return out;
}

TEST(ColourTest, WithoutAChangeOfLumaAPictureIsInterpolated) {
  const LumaImage red = Noise(6, 5, 1), green = Noise(6, 5, 2), blue = Noise(6, 5, 3);
  Picture picture{{6, 5, 3}, {}};
  for (size_t i = 0; i < 30; ++i) {
    picture.pixels.insert(picture.pixels.end(), {red.pixels[i], green.pixels[i], blue.pixels[i]});
  }
  const auto enlarged = EnlargePicture(picture, 3, Same);
  ASSERT_TRUE(enlarged.ok());
  ASSERT_EQ(enlarged->size.height, 18);
  ASSERT_EQ(enlarged->size.width, 15);
  const LumaImage planes[] = {Enlarge(red, 3), Enlarge(green, 3), Enlarge(blue, 3)};
  for (size_t i = 0; i < enlarged->pixels.size(); ++i) {
    ASSERT_EQ(enlarged->pixels[i], planes[i % 3].pixels[i / 3]);
  }
}

TEST(ColourTest, AChangeOfLumaMovesTheThreeColoursAlike) {
  const Picture picture{{1, 1, 3}, {100, 50, 200}};
  const auto enlarged = EnlargePicture(picture, 2, Brighter);
  ASSERT_TRUE(enlarged.ok());
  // 10 x 255 / 219 = 11.6 levels, rounded.
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(enlarged->pixels[3 * i], 112);
    EXPECT_EQ(enlarged->pixels[3 * i + 1], 62);
    EXPECT_EQ(enlarged->pixels[3 * i + 2], 212);
  }
  EXPECT_NEAR(LumaOfRgb(enlarged->pixels)[0], LumaOfRgb(picture.pixels)[0] + 10, 1);
  const auto gray = EnlargePicture({{1, 1, 1}, {90}}, 2, Brighter);
  ASSERT_TRUE(gray.ok());
  EXPECT_EQ(gray->pixels, (std::vector<uint8_t>(4, 100)));
}

TEST(LumaSetTest, ReadsColourAndGrayPicturesInTheOrderOfTheirNames) {
  const std::string root = testing::TempDir() + "/braid_luma_set";
  std::filesystem::create_directories(root + "/sr/Set5");
  const std::vector<uint8_t> red = {255, 0, 0, 255, 0, 0}, gray = {7, 8, 9};
  const auto colour_png = EncodePng(red, {1, 2, 3});
  const auto gray_png = EncodePng(gray, {3, 1, 1});
  ASSERT_TRUE(colour_png.ok() && gray_png.ok());
  ASSERT_TRUE(WriteFileAtomically(root + "/sr/Set5/b.png", *colour_png).ok());
  ASSERT_TRUE(WriteFileAtomically(root + "/sr/Set5/a.png", *gray_png).ok());
  const auto set = LoadLumaSet("set5", {root + "/nothing", root});
  ASSERT_TRUE(set.ok()) << set.status().ToString();
  ASSERT_EQ(set->images.size(), 2u);
  EXPECT_EQ(set->images[0].pixels, gray);
  EXPECT_EQ(set->images[1].pixels, (std::vector<uint8_t>{81, 81}));
  EXPECT_EQ(set->images[1].width, 2);
  EXPECT_NE(TakeImages(*set, 1, 1).digest, set->digest);
  EXPECT_EQ(LoadLumaSet("set14", {root}).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(LoadLumaSet("mnist", {root}).status().code(), StatusCode::kInvalidArgument);
  ASSERT_TRUE(WriteFileAtomically(root + "/sr/Set5/c.png", std::span(*gray_png).first(40)).ok());
  EXPECT_EQ(LoadLumaSet("set5", {root}).status().code(), StatusCode::kDataLoss);
  std::filesystem::remove_all(root);
}

// Bicubic PSNR in dB that papers on super-resolution print beside their own (for example Kim et
// al., "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", 2016, table 3).
TEST(LumaSetTest, BicubicInterpolationHasItsPublishedFigures) {
  if (std::getenv("BRAID_DATA") == nullptr ||
      !std::filesystem::exists(std::string(std::getenv("BRAID_DATA")) + "/sr/Set5")) {
    GTEST_SKIP() << "BRAID_DATA has no sr/Set5";
  }
  const struct {
    const char* set;
    int scale;
    double published;
  } kFigures[] = {{"set5", 2, 33.66},  {"set5", 3, 30.39},  {"set5", 4, 28.42},
                  {"set14", 2, 30.24}, {"set14", 3, 27.55}, {"set14", 4, 26.00}};
  for (const auto& [name, scale, published] : kFigures) {
    const auto set = LoadLumaSet(name, DefaultFolders());
    ASSERT_TRUE(set.ok()) << set.status().ToString();
    double sum = 0;
    for (const LumaImage& image : set->images) {
      const LumaImage original = CropToMultiple(image, scale);
      sum += Psnr(original, Degrade(original, scale), scale);
    }
    const double mean = sum / static_cast<double>(set->images.size());
    std::printf("%s x%d: %.3f dB, published %.2f\n", name, scale, mean, published);
    EXPECT_NEAR(mean, published, 0.02) << name << " x" << scale;
  }
}

}  // namespace
}  // namespace braid::data
