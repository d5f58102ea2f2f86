// A float network and its bounds to integers. Layer: convert, internal. docs/numerics.md, sections 3
// and 4.
#pragma once

#include <vector>

#include "braid/base/status.h"
#include "braid/convert/calibrate.h"
#include "braid/convert/float_network.h"
#include "braid/convert/import_onnx.h"
#include "braid/model/network.h"

namespace braid::convert {

struct QuantizedNetwork {
  model::Network network;                 // layers and the sub-network {0}; no points, labels, card
  std::vector<double> map_steps;          // [layers] real value of one integer of the map
  std::vector<double> bounds;             // [layers], 0: none of its own
  std::vector<double> weight_steps;       // [layers] the largest of a layer's
  double logit_step = 0;
};

// Channels are filled up with zeros to multiples of 4.
Result<QuantizedNetwork> Quantize(const FloatNetwork& from, const Calibration& calibration,
                                  const ImportOptions& options);

}  // namespace braid::convert
