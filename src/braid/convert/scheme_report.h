// An ONNX classifier in one of the quantization schemes, computed in that scheme's own integers and
// measured on test pictures: nothing is written. Layer: convert.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "braid/base/status.h"
#include "braid/convert/import_onnx.h"

namespace braid::convert {

enum class Scheme : uint8_t {
  kBounded = 0,  // Braid's own: symmetric, rank rule, fixed shift, wide shortcuts
  kMinMax = 1,   // affine, extremes, gemmlowp's fixed point, 8-bit shortcuts
  kEntropy = 2,  // symmetric, thresholds by KL divergence, float rescaling, 8-bit shortcuts
};

struct TestPictures {
  Pictures pictures;
  std::span<const uint8_t> targets;  // one a picture
};

struct SchemeReport {
  // `bound` is the largest value of the map, `clipped_share` counts float values of the test pictures
  // that lie more than half a step beyond its range, and `error` is over the test pictures.
  std::vector<LayerReport> layers;
  int images = 0, float_right = 0, right = 0, same_class = 0;
};

// `options.bits`, `rank`, `step_per_layer` and `snap` apply where the scheme has a use for them.
// Errors as ImportOnnx; INVALID_ARGUMENT where the test pictures differ in shape or there are none.
Result<SchemeReport> MeasureScheme(std::span<const uint8_t> bytes, const Pictures& calibration,
                                   const TestPictures& test, const ImportOptions& options,
                                   Scheme scheme);

}  // namespace braid::convert
