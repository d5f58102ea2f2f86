// The images that restoring networks are trained and measured on, as luma. Layer: data.
#pragma once

#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/data/super_resolution/luma_image.h"

namespace braid::data {

struct LumaSet {
  std::string name;    // "t91", "set5", "set14", "classic5"; a part is "t91[0:80]"
  std::string digest;  // hex SHA-256 of sizes and pixels: reports name the data they used
  std::vector<LumaImage> images;  // in the order of their file names
};

// "t91, set5, ...", for messages.
std::string LumaSetNames();
bool IsLumaSet(const std::string& name);

// Reads <folder>/<kind>/<Set>/*.png from the first of `folders` that has it; gray pictures are their
// own luma. `kind` is "sr", or "hevc/qp22" of images that were coded. NOT_FOUND when none has, INVALID_ARGUMENT for an unknown name, DATA_LOSS for a damaged
// file.
Result<LumaSet> LoadLumaSet(const std::string& name, const std::vector<std::string>& folders,
                             const std::string& kind = "sr");

// Images [first, first + count), which must be within the set.
LumaSet TakeImages(const LumaSet& set, int first, int count);

}  // namespace braid::data
