// The generator `shapes`: 32x32 colour images of one shape on a textured ground. Layer: data.
#pragma once

#include <cstdint>

#include "braid/data/dataset.h"

namespace braid::data {

// Fills count, images and targets of `dataset` (whose shape and labels are set). The shape is
// brighter than its ground and has any tilt, colour, size and place; both are textured and stray
// strokes cross them, so a linear classifier on pixels fails (generators_test). The same pixels for the
// same seed on every machine.
void DrawShapes(uint64_t seed, bool test, int count, Dataset& dataset);

}  // namespace braid::data
