// Accuracy of every operating point in floating point. Layer: training.
#pragma once

#include <string>
#include <vector>

#include "braid/data/dataset.h"
#include "braid/training/braided_net.h"
#include "braid/training/family.h"

namespace braid::training {

struct PointAccuracy {
  std::string name;
  std::vector<GroupSet> terms;
  double accuracy = 0;  // fraction of the set
};

// Sub-networks and sums of `family` over the whole of `dataset`.
std::vector<PointAccuracy> EvaluateFloat(BraidedNet& net, const Family& family,
                                         const data::Dataset& dataset);

// Images [first, first+count) as a tensor [count,C,H,W] of bytes.
torch::Tensor PixelTensor(const data::Dataset& dataset, int first, int count);
torch::Tensor PixelTensor(const std::vector<uint8_t>& images, int count, int height, int width,
                          int channels);

}  // namespace braid::training
