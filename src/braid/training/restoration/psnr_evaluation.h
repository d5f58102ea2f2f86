// PSNR of a restoring network, on whole images: in floating point, and in the integers that
// devices execute. Layer: training.
#pragma once

#include <vector>

#include "braid/base/status.h"
#include "braid/data/restoration/measurement.h"
#include "braid/model/network.h"
#include "braid/training/braided_net.h"

namespace braid::training {

// Sub-network `sub`, in the net's arithmetic; pixels are rounded to 8 bits at the end.
Result<std::vector<data::SetPsnr>> FloatPsnr(BraidedNet& net, int sub,
                                             const std::vector<data::DegradedSet>& sets);

// A point of a valid network.
Result<std::vector<data::SetPsnr>> IntegerPsnr(const model::Network& network,
                                               const model::OperatingPoint& point,
                                               const std::vector<data::DegradedSet>& sets);

}  // namespace braid::training
