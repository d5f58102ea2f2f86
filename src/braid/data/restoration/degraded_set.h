// The images that restoring networks are trained and measured on, and what degraded them: reduction,
// which super-resolution undoes, or coding. Layer: data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/data/super_resolution/luma_set.h"

namespace braid::data {

enum class Degradation : uint8_t {
  kReduced = 0,  // by a whole factor, and enlarged again by interpolation
  kCoded = 1,    // as an HEVC intra frame at a quantization parameter (tools/code_images.py)
};

struct DegradedSet {
  std::string name;    // "set5", "t91[0:80]"; "classic5-hevc"
  std::string digest;  // hex SHA-256 of all images that were read
  Degradation degradation = Degradation::kReduced;
  std::vector<int> levels;     // factors, or quantization parameters
  LumaSet originals;           // whole
  std::vector<LumaSet> coded;  // [levels], kCoded
};

struct ImagePair {
  LumaImage degraded, original;  // of one size
};
// `level` and `image` are indices. A reduced image's original is cropped to a multiple of its factor.
ImagePair PairOf(const DegradedSet& set, size_t level, size_t image);

// Pixels at the edges that measurements leave out, as is usual for super-resolution.
int BorderOf(Degradation degradation, int level);

// What reports call the level ("scale", "qp") and the PSNR of the degraded images ("bicubic",
// "decoded").
const char* LevelKey(Degradation degradation);
const char* DegradedKey(Degradation degradation);

// "t91, ... or classic5-hevc[QP]", for messages.
std::string DegradedSetNames();
// A luma set, "SET-hevc" or "SET-hevcQP".
bool IsDegradedSet(const std::string& name);

// A luma set at the factors 2, 3 and 4; "SET-hevc" at the quantization parameters 22, 27, 32 and 37,
// "SET-hevc37" at one. Errors as LoadLumaSet; DATA_LOSS where coded images are not of the originals'
// sizes or number.
Result<DegradedSet> LoadDegradedSet(const std::string& name,
                                    const std::vector<std::string>& folders);
// `set` reduced by `factors`.
DegradedSet ReducedSet(LumaSet set, std::vector<int> factors);

// Images [first, first + count), which must be within the set.
DegradedSet TakeImages(const DegradedSet& set, int first, int count);

}  // namespace braid::data
