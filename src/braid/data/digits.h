// The generator `digits`: 28x28 gray images of digits drawn with strokes. Layer: data.
#pragma once

#include <cstdint>

#include "braid/data/dataset.h"

namespace braid::data {

// Fills count, images and targets of `dataset` (whose shape is set). Every digit has its own
// curves, slant, size, place, pen and contrast, on a noisy ground with stray strokes; a linear
// classifier on pixels fails (generators_test). The same pixels for the same seed on every machine.
void DrawDigits(uint64_t seed, bool test, int count, Dataset& dataset);

}  // namespace braid::data
