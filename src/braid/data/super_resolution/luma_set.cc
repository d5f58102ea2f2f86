#include "braid/data/super_resolution/luma_set.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "braid/base/digest.h"
#include "braid/base/file.h"
#include "braid/data/image_file.h"

namespace braid::data {
namespace {

struct Known {
  const char* name;
  const char* folder;
};

constexpr std::array<Known, 4> kKnown = {
    {{"t91", "T91"}, {"set5", "Set5"}, {"set14", "Set14"}, {"classic5", "Classic5"}}};

const Known* Find(const std::string& name) {
  const auto it =
      std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& k) { return name == k.name; });
  return it == kKnown.end() ? nullptr : &*it;
}

std::vector<std::filesystem::path> PngFiles(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".png") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

void SetDigest(LumaSet& set) {
  std::vector<uint8_t> all;
  for (const LumaImage& image : set.images) {
    for (const int extent : {image.height, image.width}) {
      for (int byte = 0; byte < 4; ++byte) {
        all.push_back(static_cast<uint8_t>(static_cast<uint32_t>(extent) >> (8 * byte)));
      }
    }
    all.insert(all.end(), image.pixels.begin(), image.pixels.end());
  }
  set.digest = ToHex(Sha256(all));
}

}  // namespace

std::string LumaSetNames() {
  std::string names;
  for (const Known& known : kKnown) names += (names.empty() ? "" : ", ") + std::string(known.name);
  return names;
}

bool IsLumaSet(const std::string& name) { return Find(name) != nullptr; }

Result<LumaSet> LoadLumaSet(const std::string& name, const std::vector<std::string>& folders,
                             const std::string& kind) {
  const Known* known = Find(name);
  if (known == nullptr) {
    return InvalidArgument("image set '" + name + "' is unknown; known are " + LumaSetNames());
  }
  LumaSet set;
  set.name = name;
  std::string searched;
  for (const std::string& root : folders) {
    const std::string folder = root + "/" + kind + "/" + known->folder;
    for (const std::filesystem::path& path : PngFiles(folder)) {
      BRAID_ASSIGN_OR_RETURN(Picture picture, ReadPicture(path.string()));
      LumaImage image{path.stem().string(), picture.size.height, picture.size.width, {}};
      image.pixels =
          picture.size.channels == 3 ? LumaOfRgb(picture.pixels) : std::move(picture.pixels);
      set.images.push_back(std::move(image));
    }
    if (!set.images.empty()) break;
    searched += (searched.empty() ? "" : ", ") + folder;
  }
  if (set.images.empty()) {
    return NotFound(name + ": no PNG files in " +
                    (searched.empty() ? "any folder (none was given)" : searched));
  }
  SetDigest(set);
  return set;
}

LumaSet TakeImages(const LumaSet& set, int first, int count) {
  LumaSet part;
  part.name = set.name + "[" + std::to_string(first) + ":" + std::to_string(first + count) + "]";
  part.images.assign(set.images.begin() + first, set.images.begin() + first + count);
  SetDigest(part);
  return part;
}

}  // namespace braid::data
