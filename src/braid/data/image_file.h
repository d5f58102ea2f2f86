// PNG and JPEG files as pixels. Layer: data.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"

namespace braid::data {

// What a model takes in.
struct ImageSize {
  int height = 0, width = 0, channels = 0;  // channels: 1 gray or 3 RGB
};

// Decodes a PNG or JPEG (told apart by their first bytes) to [height, width, channels] uint8.
// The picture must have exactly `size`'s height and width: nothing is scaled silently. Gray
// pictures serve 3 channels; colour ones are refused for 1. Alpha is laid over black;
// 16-bit samples are refused. `name` opens every error: INVALID_ARGUMENT for a picture of another
// size or kind, DATA_LOSS for a damaged one.
Result<std::vector<uint8_t>> DecodeImage(std::span<const uint8_t> bytes, const std::string& name,
                                         const ImageSize& size);

Result<std::vector<uint8_t>> ReadImageFile(const std::string& path, const ImageSize& size);

// A picture of whatever size it has.
struct Picture {
  ImageSize size;
  std::vector<uint8_t> pixels;  // [height, width, channels]
};

// As DecodeImage, but the size and the channels (1 gray, 3 colour) are the picture's own.
// INVALID_ARGUMENT for one of more than 2^26 pixels.
Result<Picture> DecodePicture(std::span<const uint8_t> bytes, const std::string& name);

Result<Picture> ReadPicture(const std::string& path);

// [height, width, channels] uint8 as a PNG file's bytes; `pixels` must have that size.
Result<std::vector<uint8_t>> EncodePng(std::span<const uint8_t> pixels, const ImageSize& size);

}  // namespace braid::data
