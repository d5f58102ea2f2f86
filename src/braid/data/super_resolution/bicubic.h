// Bicubic interpolation by whole factors, in integers: the same pixels on every machine. Layer:
// data. Kernel: Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981, with
// a = -1/2; widened by the factor when an image is reduced, and mirrored at the borders, as the
// published figures of super-resolution were computed.
#pragma once

#include "braid/data/super_resolution/luma_image.h"

namespace braid::data {

inline constexpr int kMostScale = 8;

// Pixel (i, j) of the output lies over ((i + 1/2) / scale - 1/2, ...) of the input. `scale` is
// 1..kMostScale.
LumaImage Enlarge(const LumaImage& image, int scale);
// Height and width must be multiples of `scale`.
LumaImage Reduce(const LumaImage& image, int scale);

// What super-resolution starts from: reduced and enlarged again, the low-resolution image rounded
// to 8 bits as a file holds it.
LumaImage Degrade(const LumaImage& image, int scale);

}  // namespace braid::data
