// Scalar requantization and logits rescale: define what every path computes.
// Layer: kernels. Theory: docs/numerics.md, section 3.
#pragma once

#include <cstdint>
#include <span>

#include "braid/kernels/requantization.h"

namespace braid::kernels::reference {

// One value: clamp, multiply, round, take the top byte. |mul| <= 2^24, any `value`.
int32_t RequantizeValue(int32_t value, int32_t mul, ClampInterval interval);

// A shortcut's wide value in the units of the layer that adds it. shift in 1..30.
int32_t RescaleShortcut(int32_t wide, int32_t clamp, int32_t mul, int32_t shift);

// Contract: KernelSet::requantize.
void Requantize(const Epilogue& epilogue, int64_t pixels, int32_t* accumulators,
                const int32_t* shortcut, uint8_t* output);

// `sums` [n, classes], in place. Any sums are accepted (they may come from a peer): the addition
// of the bias wraps around, and the clamp bounds what follows.
void RescaleLogits(const LogitsRescale& rescale, std::span<int32_t> sums);

}  // namespace braid::kernels::reference
