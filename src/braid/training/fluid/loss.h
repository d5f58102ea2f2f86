// The loss of one step: cross-entropies of sub-networks and of added logits, in-place distillation.
// Layer: training.
#pragma once

#include <vector>

#include "braid/training/braided_net.h"
#include "braid/training/family.h"
#include "braid/training/recipe.h"
#include "braid/training/torch.h"

namespace braid::training {

// Sum over `subs` (widest first) of the cross-entropy of `x` [N,C,H,W] against `targets` [N], plus
//  - recipe.distillation x cross-entropy against the widest one's probabilities (no gradient to
//  it);
//  - recipe.sum_loss x cross-entropy of added logits, for each sum of the family whose terms were
//    all run.
torch::Tensor StepLoss(BraidedNet& net, const Family& family, const Recipe& recipe,
                       const std::vector<int>& subs, const torch::Tensor& x,
                       const torch::Tensor& targets);

}  // namespace braid::training
