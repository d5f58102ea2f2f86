// What a training moves towards: the batches and the loss of its steps. Layer: training.
#pragma once

#include <vector>

#include "braid/training/braided_net.h"
#include "braid/training/torch.h"

namespace braid::training {

struct Batch {
  torch::Tensor pixels;   // [N,C,H,W] uint8, what BraidedNet::Input takes
  torch::Tensor targets;  // what the objective's loss compares with
};

class Objective {
 public:
  virtual ~Objective() = default;

  virtual int steps_per_epoch() const = 0;
  // The batch of a step of the whole training, from 0, on the CPU: a function of the recipe's seed
  // and the step alone, so that a resumed training sees the same.
  virtual Batch BatchOf(int global_step) = 0;
  // The loss of the sub-networks `subs` (widest first) on the input `x` of a batch; both tensors
  // are on the network's device.
  virtual torch::Tensor Loss(BraidedNet& net, const std::vector<int>& subs, const torch::Tensor& x,
                             const torch::Tensor& targets) const = 0;
};

}  // namespace braid::training
