// Super-resolution of whole pictures: luma by a network, colours by interpolation. Layer: data.
#pragma once

#include "braid/base/status.h"
#include "braid/data/image_file.h"
#include "braid/data/restoration/measurement.h"

namespace braid::data {

// `picture` enlarged by `scale` (1..kMostScale). A gray one is its own luma. In a colour one red,
// green and blue are interpolated and then all moved by what `restore` changed in the luma, which
// leaves the chroma as interpolated (BT.601: R, G and B all contain 255/219 of Y).
Result<Picture> EnlargePicture(const Picture& picture, int scale, const Restore& restore);

}  // namespace braid::data
