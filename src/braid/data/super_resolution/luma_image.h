// One 8-bit plane of a picture, and the luma of colours. Layer: data.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace braid::data {

struct LumaImage {
  std::string name;  // "butterfly", or empty
  int height = 0, width = 0;
  std::vector<uint8_t> pixels;  // [height, width]

  size_t Row(int y) const { return static_cast<size_t>(y) * static_cast<size_t>(width); }
};

// Luma 16..235 of RGB pixels [n, 3], rounded: ITU-R BT.601-7, section 2.5.1, as super-resolution is
// measured on.
std::vector<uint8_t> LumaOfRgb(std::span<const uint8_t> rgb);

// The upper left part, of a height and a width that are multiples of `scale`.
LumaImage CropToMultiple(const LumaImage& image, int scale);

// Peak signal-to-noise ratio in dB of two images of one size, whose outer `border` pixels are left
// out on each side; infinity for equal ones. The border must leave a pixel.
double Psnr(const LumaImage& a, const LumaImage& b, int border);

}  // namespace braid::data
