// Rounding with straight-through gradients. Layer: training.
#pragma once

#include "braid/training/torch.h"

namespace braid::training {

// The largest integer of maps and weights of `bits` bits, 127 of 8 (numerics.md, section 7).
constexpr int LargestInteger(int bits) { return (1 << (bits - 1)) - 1; }

// `x` of any shape to the nearest of the levels 0, 1, ..., `largest` times `bound` / `largest` (halves
// to even), as a Bounded ReLU in integers gives them. The gradient passes where `x` lies within the
// levels' reach, half a level beyond each end, and is 0 elsewhere.
torch::Tensor RoundActivations(const torch::Tensor& x, double bound, int largest = 127);

// `weight` [out, ...] to multiples of a step per output channel, such that its largest is
// `largest` steps. The gradient passes unchanged; the step has none.
torch::Tensor RoundWeights(const torch::Tensor& weight, int largest = 127);
// Those steps, [out]; without a gradient.
torch::Tensor WeightSteps(const torch::Tensor& weight, int largest);

// `x` to multiples of `step`, both [n]. The gradient passes unchanged to `x`; `step` has none.
torch::Tensor RoundToSteps(const torch::Tensor& x, const torch::Tensor& step);

}  // namespace braid::training
