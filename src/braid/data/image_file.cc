#include "braid/data/image_file.h"

#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <memory>

#include "braid/base/check.h"
#include "braid/base/file.h"

namespace braid::data {
namespace {

// A picture of a size that a model takes is far smaller.
constexpr uint64_t kMaxFileBytes = uint64_t{64} << 20;

// Of a picture that brings its own size: a small file can claim any.
constexpr uint64_t kMostPixels = uint64_t{1} << 26;

constexpr std::array<uint8_t, 8> kPngSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr std::array<uint8_t, 3> kJpegSignature = {0xff, 0xd8, 0xff};

template <size_t N>
bool StartsWith(std::span<const uint8_t> bytes, const std::array<uint8_t, N>& signature) {
  return bytes.size() >= N && std::equal(signature.begin(), signature.end(), bytes.begin());
}

size_t Pixels(const ImageSize& size) {
  return static_cast<size_t>(size.height) * static_cast<size_t>(size.width) *
         static_cast<size_t>(size.channels);
}

Status CheckSize(const std::string& name, const ImageSize& wanted, int height, int width,
                 bool colour) {
  if (height != wanted.height || width != wanted.width) {
    return InvalidArgument(name + ": the picture has " + std::to_string(width) + "x" +
                           std::to_string(height) + " pixels, the model takes " +
                           std::to_string(wanted.width) + "x" + std::to_string(wanted.height));
  }
  if (colour && wanted.channels == 1) {
    return InvalidArgument(name + ": the picture is in colour, the model takes gray");
  }
  return OkStatus();
}

// Frees what libpng's simplified interface holds.
struct PngImage {
  png_image image{};
  PngImage() { image.version = PNG_IMAGE_VERSION; }
  ~PngImage() { png_image_free(&image); }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;
};

Result<std::vector<uint8_t>> DecodePng(std::span<const uint8_t> bytes, const std::string& name,
                                       const ImageSize& size) {
  PngImage png;
  if (png_image_begin_read_from_memory(&png.image, bytes.data(), bytes.size()) == 0) {
    return DataLoss(name + ": damaged PNG: " + png.image.message);
  }
  // Larger than INT_MAX turns negative and so differs from every size.
  BRAID_RETURN_IF_ERROR(CheckSize(name, size, static_cast<int>(png.image.height),
                                  static_cast<int>(png.image.width),
                                  (png.image.format & PNG_FORMAT_FLAG_COLOR) != 0));
  if ((png.image.format & PNG_FORMAT_FLAG_LINEAR) != 0) {
    return InvalidArgument(name + ": the PNG has 16-bit samples, the model takes 8-bit ones");
  }
  png.image.format = size.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  std::vector<uint8_t> pixels(Pixels(size));  // zeros: what alpha is laid over
  if (png_image_finish_read(&png.image, nullptr, pixels.data(), 0, nullptr) == 0) {
    return DataLoss(name + ": damaged PNG: " + png.image.message);
  }
  return pixels;
}

Result<std::vector<uint8_t>> DecodeJpeg(std::span<const uint8_t> bytes, const std::string& name,
                                        const ImageSize& size) {
  const std::unique_ptr<void, int (*)(void*)> decoder(tjInitDecompress(), tjDestroy);
  if (decoder == nullptr) return Internal(name + ": libjpeg-turbo did not start");
  const auto length = static_cast<unsigned long>(bytes.size());  // NOLINT: the library's type
  int width = 0, height = 0, subsampling = 0, colourspace = 0;
  const auto damage = [&] {
    return DataLoss(name + ": damaged JPEG: " + tjGetErrorStr2(decoder.get()));
  };
  if (tjDecompressHeader3(decoder.get(), bytes.data(), length, &width, &height, &subsampling,
                          &colourspace) != 0) {
    return damage();
  }
  // A file that ends before its frame header passes the call above with no size.
  if (width <= 0 || height <= 0) return DataLoss(name + ": damaged JPEG: it ends in its header");
  BRAID_RETURN_IF_ERROR(CheckSize(name, size, height, width, colourspace != TJCS_GRAY));
  if (colourspace == TJCS_CMYK || colourspace == TJCS_YCCK) {
    return InvalidArgument(name + ": the JPEG is in CMYK, the model takes RGB");
  }
  std::vector<uint8_t> pixels(Pixels(size));
  // Without STOPONWARNING a cut-off file would pass with a gray rest; the accurate transform gives
  // the same pixels with and without vector instructions.
  if (tjDecompress2(decoder.get(), bytes.data(), length, pixels.data(), width, 0, height,
                    size.channels == 1 ? TJPF_GRAY : TJPF_RGB,
                    TJFLAG_STOPONWARNING | TJFLAG_ACCURATEDCT) != 0) {
    return damage();
  }
  return pixels;
}

Result<ImageSize> PngSize(std::span<const uint8_t> bytes, const std::string& name) {
  PngImage png;
  if (png_image_begin_read_from_memory(&png.image, bytes.data(), bytes.size()) == 0) {
    return DataLoss(name + ": damaged PNG: " + png.image.message);
  }
  const bool colour = (png.image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  return ImageSize{static_cast<int>(png.image.height), static_cast<int>(png.image.width),
                   colour ? 3 : 1};
}

Result<ImageSize> JpegSize(std::span<const uint8_t> bytes, const std::string& name) {
  const std::unique_ptr<void, int (*)(void*)> decoder(tjInitDecompress(), tjDestroy);
  if (decoder == nullptr) return Internal(name + ": libjpeg-turbo did not start");
  const auto length = static_cast<unsigned long>(bytes.size());  // NOLINT: the library's type
  int width = 0, height = 0, subsampling = 0, colourspace = 0;
  if (tjDecompressHeader3(decoder.get(), bytes.data(), length, &width, &height, &subsampling,
                          &colourspace) != 0) {
    return DataLoss(name + ": damaged JPEG: " + tjGetErrorStr2(decoder.get()));
  }
  return ImageSize{height, width, colourspace == TJCS_GRAY ? 1 : 3};
}

}  // namespace

Result<Picture> DecodePicture(std::span<const uint8_t> bytes, const std::string& name) {
  Picture picture;
  if (StartsWith(bytes, kPngSignature)) {
    BRAID_ASSIGN_OR_RETURN(picture.size, PngSize(bytes, name));
  } else if (StartsWith(bytes, kJpegSignature)) {
    BRAID_ASSIGN_OR_RETURN(picture.size, JpegSize(bytes, name));
  } else {
    return InvalidArgument(name + ": neither PNG nor JPEG");
  }
  const ImageSize& size = picture.size;
  if (size.height <= 0 || size.width <= 0) {
    return DataLoss(name + ": the picture has no pixels");
  }
  if (static_cast<uint64_t>(size.height) * static_cast<uint64_t>(size.width) > kMostPixels) {
    return InvalidArgument(name + ": " + std::to_string(size.width) + "x" +
                           std::to_string(size.height) + " pixels are too many");
  }
  BRAID_ASSIGN_OR_RETURN(picture.pixels, DecodeImage(bytes, name, size));
  return picture;
}

Result<Picture> ReadPicture(const std::string& path) {
  BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadFile(path, kMaxFileBytes));
  return DecodePicture(bytes, path);
}

Result<std::vector<uint8_t>> DecodeImage(std::span<const uint8_t> bytes, const std::string& name,
                                         const ImageSize& size) {
  if (size.height <= 0 || size.width <= 0 || (size.channels != 1 && size.channels != 3)) {
    return InvalidArgument(name + ": pictures are gray or RGB, the model takes " +
                           std::to_string(size.channels) + " channels");
  }
  if (StartsWith(bytes, kPngSignature)) return DecodePng(bytes, name, size);
  if (StartsWith(bytes, kJpegSignature)) return DecodeJpeg(bytes, name, size);
  return InvalidArgument(name + ": neither PNG nor JPEG");
}

Result<std::vector<uint8_t>> ReadImageFile(const std::string& path, const ImageSize& size) {
  BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadFile(path, kMaxFileBytes));
  return DecodeImage(bytes, path, size);
}

Result<std::vector<uint8_t>> EncodePng(std::span<const uint8_t> pixels, const ImageSize& size) {
  if (size.channels != 1 && size.channels != 3) {
    return InvalidArgument("a PNG has 1 or 3 channels, not " + std::to_string(size.channels));
  }
  BRAID_CHECK(pixels.size() == Pixels(size));
  PngImage png;
  png.image.width = static_cast<png_uint_32>(size.width);
  png.image.height = static_cast<png_uint_32>(size.height);
  png.image.format = size.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t length = PNG_IMAGE_PNG_SIZE_MAX(png.image);
  std::vector<uint8_t> bytes(length);
  if (png_image_write_to_memory(&png.image, bytes.data(), &length, 0, pixels.data(), 0, nullptr) ==
      0) {
    return Internal(std::string("PNG: ") + png.image.message);
  }
  bytes.resize(length);
  return bytes;
}

}  // namespace braid::data
