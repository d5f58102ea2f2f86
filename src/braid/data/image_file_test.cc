// Pictures: decoded exactly, refused when damaged or of another size.
#include "braid/data/image_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <turbojpeg.h>

#include "braid/base/check.h"

namespace braid::data {
namespace {

using testing::HasSubstr;

constexpr ImageSize kGray{12, 20, 1};
constexpr ImageSize kColour{12, 20, 3};

std::vector<uint8_t> Gradient(const ImageSize& size) {
  std::vector<uint8_t> pixels;
  for (int i = 0; i < size.height * size.width * size.channels; ++i) {
    pixels.push_back(static_cast<uint8_t>(40 + i / 8));
  }
  return pixels;
}

std::vector<uint8_t> Jpeg(const ImageSize& size) {
  const std::vector<uint8_t> pixels = Gradient(size);
  tjhandle encoder = tjInitCompress();
  unsigned char* out = nullptr;
  unsigned long length = 0;  // NOLINT: the library's type
  BRAID_CHECK(tjCompress2(encoder, pixels.data(), size.width, 0, size.height,
                          size.channels == 1 ? TJPF_GRAY : TJPF_RGB, &out, &length,
                          size.channels == 1 ? TJSAMP_GRAY : TJSAMP_444, 95, 0) == 0);
  std::vector<uint8_t> bytes(out, out + length);
  tjFree(out);
  tjDestroy(encoder);
  return bytes;
}

TEST(PngTest, ComesBackPixelForPixel) {
  for (const ImageSize& size : {kGray, kColour}) {
    const auto bytes = EncodePng(Gradient(size), size);
    ASSERT_TRUE(bytes.ok());
    const auto pixels = DecodeImage(*bytes, "a.png", size);
    ASSERT_TRUE(pixels.ok()) << pixels.status().ToString();
    EXPECT_EQ(*pixels, Gradient(size));
  }
}

TEST(PngTest, ServesAGrayPictureToAColourModel) {
  const auto bytes = EncodePng(Gradient(kGray), kGray);
  const auto pixels = DecodeImage(*bytes, "a.png", kColour);
  ASSERT_TRUE(pixels.ok());
  EXPECT_EQ((*pixels)[3 * 100], Gradient(kGray)[100]);
  EXPECT_EQ((*pixels)[3 * 100 + 2], Gradient(kGray)[100]);
}

TEST(PngTest, RefusesAnotherSizeAndColourForGray) {
  const auto bytes = EncodePng(Gradient(kColour), kColour);
  const auto other = DecodeImage(*bytes, "a.png", {28, 28, 3});
  EXPECT_EQ(other.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(other.status().message(), HasSubstr("20x12 pixels, the model takes 28x28"));
  EXPECT_THAT(DecodeImage(*bytes, "a.png", kGray).status().message(), HasSubstr("in colour"));
}

TEST(PngTest, RefusesEveryTruncationThatLosesPixels) {
  const auto bytes = EncodePng(Gradient(kColour), kColour);
  // The last 12 bytes are the empty IEND chunk.
  for (size_t size = 8; size < bytes->size() - 12; ++size) {
    const auto result = DecodeImage(std::span(*bytes).first(size), "a.png", kColour);
    ASSERT_EQ(result.status().code(), StatusCode::kDataLoss) << size;
  }
}

TEST(JpegTest, ComesBackNearly) {
  for (const ImageSize& size : {kGray, kColour}) {
    const auto pixels = DecodeImage(Jpeg(size), "a.jpg", size);
    ASSERT_TRUE(pixels.ok()) << pixels.status().ToString();
    const std::vector<uint8_t> wanted = Gradient(size);
    for (size_t i = 0; i < wanted.size(); ++i) ASSERT_NEAR((*pixels)[i], wanted[i], 8) << i;
  }
}

TEST(JpegTest, RefusesTruncationsAndOtherSizes) {
  const std::vector<uint8_t> bytes = Jpeg(kColour);
  for (size_t size = 3; size + 2 < bytes.size(); ++size) {  // 2: the end marker
    const auto result = DecodeImage(std::span(bytes).first(size), "a.jpg", kColour);
    ASSERT_EQ(result.status().code(), StatusCode::kDataLoss) << size;
  }
  EXPECT_EQ(DecodeImage(bytes, "a.jpg", {12, 21, 3}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(DecodeImage(bytes, "a.jpg", kGray).status().message(), HasSubstr("in colour"));
}

TEST(ImageFileTest, RefusesWhatIsNoPicture) {
  const std::vector<uint8_t> text = {'h', 'e', 'l', 'l', 'o', '.', '.', '.'};
  EXPECT_THAT(DecodeImage(text, "a.txt", kGray).status().message(), HasSubstr("a.txt: neither"));
  EXPECT_EQ(ReadImageFile("/nonexistent.png", kGray).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace braid::data
