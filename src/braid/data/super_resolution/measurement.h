// Super-resolution as it is measured: images reduced, enlarged again and restored, beside what they
// were. Layer: data.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/data/super_resolution/luma_set.h"

namespace braid::data {

// One network serves all of them.
inline constexpr std::array<int, 3> kScales = {2, 3, 4};

// Means over the images of a set, in dB; a border of `scale` pixels is left out.
struct SetPsnr {
  std::string set;
  int scale = 0;
  double interpolated = 0;  // of the images that restoring starts from
  double restored = 0;
};

// From an interpolated image to a better one of the same size.
using Restore = std::function<Result<LumaImage>(const LumaImage&)>;

// Every set at every scale. An error of `restore` ends it.
Result<std::vector<SetPsnr>> MeasurePsnr(const std::vector<LumaSet>& sets, const Restore& restore);

}  // namespace braid::data
