#include "braid/data/super_resolution/colour.h"

#include <algorithm>
#include <utility>

#include "braid/data/super_resolution/bicubic.h"

namespace braid::data {
namespace {

// Every third byte, from `channel`.
LumaImage Channel(const Picture& picture, size_t channel) {
  LumaImage plane{"", picture.size.height, picture.size.width, {}};
  for (size_t i = channel; i < picture.pixels.size(); i += 3) {
    plane.pixels.push_back(picture.pixels[i]);
  }
  return plane;
}

}  // namespace

Result<Picture> EnlargePicture(const Picture& picture, int scale, const Restore& restore) {
  const ImageSize size{picture.size.height * scale, picture.size.width * scale,
                       picture.size.channels};
  LumaImage luma{"", picture.size.height, picture.size.width, {}};
  luma.pixels = size.channels == 3 ? LumaOfRgb(picture.pixels) : picture.pixels;
  const LumaImage interpolated = Enlarge(luma, scale);
  BRAID_ASSIGN_OR_RETURN(LumaImage restored, restore(interpolated));
  if (size.channels == 1) return Picture{size, std::move(restored.pixels)};
  Picture out{size, std::vector<uint8_t>(3 * restored.pixels.size())};
  for (size_t channel = 0; channel < 3; ++channel) {
    const LumaImage plane = Enlarge(Channel(picture, channel), scale);
    for (size_t i = 0; i < plane.pixels.size(); ++i) {
      const int change = restored.pixels[i] - interpolated.pixels[i];
      // Rounded, halves away from 0.
      const int moved = (change * 255 + (change < 0 ? -109 : 109)) / 219;
      out.pixels[3 * i + channel] =
          static_cast<uint8_t>(std::clamp(plane.pixels[i] + moved, 0, 255));
    }
  }
  return out;
}

}  // namespace braid::data
