#include "braid/data/restoration/degraded_set.h"

#include <algorithm>
#include <array>
#include <utility>

#include "braid/base/digest.h"
#include "braid/data/super_resolution/bicubic.h"

namespace braid::data {
namespace {

constexpr std::array<int, 3> kFactors = {2, 3, 4};
// The four of the common test conditions of HEVC.
constexpr std::array<int, 4> kQuantizers = {22, 27, 32, 37};
constexpr char kCodedSuffix[] = "-hevc";

struct Name {
  std::string set;              // of the originals
  std::vector<int> quantizers;  // empty: reduced
};

// An empty set: no such name.
Name Split(const std::string& name) {
  if (IsLumaSet(name)) return {name, {}};
  const size_t suffix = name.rfind(kCodedSuffix);
  if (suffix == std::string::npos || !IsLumaSet(name.substr(0, suffix))) return {};
  const std::string set = name.substr(0, suffix);
  const std::string one = name.substr(suffix + sizeof(kCodedSuffix) - 1);
  if (one.empty()) return {set, {kQuantizers.begin(), kQuantizers.end()}};
  for (const int qp : kQuantizers) {
    if (one == std::to_string(qp)) return {set, {qp}};
  }
  return {};
}

void SetDigest(DegradedSet& set) {
  set.digest = set.originals.digest;
  if (set.coded.empty()) return;
  std::string all = set.originals.digest;
  for (const LumaSet& coded : set.coded) all += coded.digest;
  set.digest = ToHex(Sha256({reinterpret_cast<const uint8_t*>(all.data()), all.size()}));
}

Status CheckCoded(const LumaSet& original, const LumaSet& coded) {
  if (coded.images.size() != original.images.size()) {
    return DataLoss(coded.name + ": " + std::to_string(coded.images.size()) + " images, of " +
                    std::to_string(original.images.size()) + " originals");
  }
  for (size_t i = 0; i < coded.images.size(); ++i) {
    const LumaImage &a = original.images[i], &b = coded.images[i];
    if (a.name != b.name || a.height != b.height || a.width != b.width) {
      return DataLoss(coded.name + "/" + b.name + ": not the name and size of " + original.name +
                      "/" + a.name);
    }
  }
  return OkStatus();
}

}  // namespace

ImagePair PairOf(const DegradedSet& set, size_t level, size_t image) {
  const LumaImage& whole = set.originals.images[image];
  if (set.degradation == Degradation::kCoded) return {set.coded[level].images[image], whole};
  LumaImage original = CropToMultiple(whole, set.levels[level]);
  LumaImage degraded = Degrade(original, set.levels[level]);
  return {std::move(degraded), std::move(original)};
}

int BorderOf(Degradation degradation, int level) {
  return degradation == Degradation::kReduced ? level : 0;
}

const char* LevelKey(Degradation degradation) {
  return degradation == Degradation::kReduced ? "scale" : "qp";
}

const char* DegradedKey(Degradation degradation) {
  return degradation == Degradation::kReduced ? "bicubic" : "decoded";
}

std::string DegradedSetNames() {
  return LumaSetNames() + "; with -hevc or -hevc22, 27, 32, 37: coded images";
}

bool IsDegradedSet(const std::string& name) { return !Split(name).set.empty(); }

Result<DegradedSet> LoadDegradedSet(const std::string& name,
                                    const std::vector<std::string>& folders) {
  const Name parts = Split(name);
  if (parts.set.empty()) {
    return InvalidArgument("image set '" + name + "' is unknown; known are " + DegradedSetNames());
  }
  BRAID_ASSIGN_OR_RETURN(LumaSet originals, LoadLumaSet(parts.set, folders));
  if (parts.quantizers.empty()) {
    return ReducedSet(std::move(originals), {kFactors.begin(), kFactors.end()});
  }
  DegradedSet set;
  set.name = name;
  set.degradation = Degradation::kCoded;
  set.levels = parts.quantizers;
  set.originals = std::move(originals);
  for (const int qp : set.levels) {
    const std::string folder = "hevc/qp" + std::to_string(qp);
    Result<LumaSet> coded = LoadLumaSet(parts.set, folders, folder);
    if (!coded.ok()) return coded.status().WithContext("tools/code_images.py makes coded images");
    BRAID_RETURN_IF_ERROR(CheckCoded(set.originals, *coded).WithContext(folder));
    set.coded.push_back(std::move(*coded));
  }
  SetDigest(set);
  return set;
}

DegradedSet ReducedSet(LumaSet originals, std::vector<int> factors) {
  DegradedSet set;
  set.name = originals.name;
  set.levels = std::move(factors);
  set.originals = std::move(originals);
  SetDigest(set);
  return set;
}

DegradedSet TakeImages(const DegradedSet& set, int first, int count) {
  DegradedSet part = set;
  part.name += "[" + std::to_string(first) + ":" + std::to_string(first + count) + "]";
  part.originals = TakeImages(set.originals, first, count);
  for (LumaSet& coded : part.coded) coded = TakeImages(coded, first, count);
  SetDigest(part);
  return part;
}

}  // namespace braid::data
