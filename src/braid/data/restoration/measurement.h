// Restoring networks as they are measured: degraded images restored, beside what they were. Layer:
// data.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/data/restoration/degraded_set.h"

namespace braid::data {

// Means over the images of a set at a level, in dB, without a border of BorderOf pixels.
struct SetPsnr {
  std::string set;
  Degradation degradation = Degradation::kReduced;
  int level = 0;
  double degraded = 0;  // of the images that restoring starts from
  double restored = 0;
};

// From a degraded image to a better one of the same size.
using Restore = std::function<Result<LumaImage>(const LumaImage&)>;

// Every set at each of its levels. An error of `restore` ends it.
Result<std::vector<SetPsnr>> MeasurePsnr(const std::vector<DegradedSet>& sets,
                                         const Restore& restore);

}  // namespace braid::data
