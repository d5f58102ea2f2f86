// Rounding with straight-through gradients. Layer: training.
#pragma once

#include "braid/training/torch.h"

namespace braid::training {

// `x` of any shape to the nearest of the 128 levels 0, 1, ..., 127 times `bound` / 127 (halves to
// even), as a Bounded ReLU in integers gives them. The gradient passes where `x` lies within the
// levels' reach, half a level beyond each end, and is 0 elsewhere.
torch::Tensor RoundActivations(const torch::Tensor& x, double bound);

// `weight` [out, ...] to multiples of a step per output channel, such that its largest is 127
// steps. The gradient passes unchanged; the step has none.
torch::Tensor RoundWeights(const torch::Tensor& weight);

}  // namespace braid::training
