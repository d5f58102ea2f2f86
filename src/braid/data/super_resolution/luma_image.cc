#include "braid/data/super_resolution/luma_image.h"

#include <cmath>
#include <limits>

#include "braid/base/check.h"

namespace braid::data {

std::vector<uint8_t> LumaOfRgb(std::span<const uint8_t> rgb) {
  BRAID_CHECK(rgb.size() % 3 == 0);
  std::vector<uint8_t> luma(rgb.size() / 3);
  for (size_t i = 0; i < luma.size(); ++i) {
    // Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255.
    const int sum = 65481 * rgb[3 * i] + 128553 * rgb[3 * i + 1] + 24966 * rgb[3 * i + 2];
    luma[i] = static_cast<uint8_t>(16 + (sum + 127500) / 255000);
  }
  return luma;
}

LumaImage CropToMultiple(const LumaImage& image, int scale) {
  LumaImage out{image.name, image.height / scale * scale, image.width / scale * scale, {}};
  for (int y = 0; y < out.height; ++y) {
    const auto row = image.pixels.begin() + static_cast<ptrdiff_t>(image.Row(y));
    out.pixels.insert(out.pixels.end(), row, row + out.width);
  }
  return out;
}

double Psnr(const LumaImage& a, const LumaImage& b, int border) {
  BRAID_CHECK(a.height == b.height && a.width == b.width);
  const int height = a.height - 2 * border, width = a.width - 2 * border;
  BRAID_CHECK(border >= 0 && height > 0 && width > 0);
  int64_t squares = 0;
  for (int y = border; y < border + height; ++y) {
    for (int x = border; x < border + width; ++x) {
      const size_t i = a.Row(y) + static_cast<size_t>(x);
      const int difference = a.pixels[i] - b.pixels[i];
      squares += difference * difference;
    }
  }
  if (squares == 0) return std::numeric_limits<double>::infinity();
  const double mean =
      static_cast<double>(squares) / (static_cast<double>(height) * static_cast<double>(width));
  return 10 * std::log10(255.0 * 255.0 / mean);
}

}  // namespace braid::data
