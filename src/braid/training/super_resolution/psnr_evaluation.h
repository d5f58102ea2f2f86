// PSNR of a super-resolution network in floating point, on whole images. Layer: training.
#pragma once

#include <string>
#include <vector>

#include "braid/data/super_resolution/luma_set.h"
#include "braid/training/braided_net.h"

namespace braid::training {

// Means over the images of a set, in dB; a border of `scale` pixels is left out, and pixels are
// rounded to 8 bits first.
struct SetPsnr {
  std::string set;
  int scale = 0;
  double bicubic = 0;  // of the interpolated images that the network starts from
  double network = 0;
};

// Sub-network `sub` on every set at every scale. Rounds as `net` does (BraidedNet::SetArithmetic).
std::vector<SetPsnr> EvaluatePsnr(BraidedNet& net, int sub, const std::vector<data::LumaSet>& sets);

}  // namespace braid::training
