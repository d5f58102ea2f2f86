// What a graph's layers do on pictures: bounds and ranges. Layer: convert, internal.
#pragma once

#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/convert/float_network.h"
#include "braid/convert/import_onnx.h"
#include "braid/convert/onnx_graph.h"

namespace braid::convert {

struct LayerStatistics {
  double bound = 1;    // by the rank rule; of layers without ReLU, of magnitudes
  double largest = 0;  // magnitude
  double widest = 0;   // magnitude before the activation, where the graph has that value
  double clipped_share = 0;
};

struct Calibration {
  std::vector<LayerStatistics> layers;  // [layers]
  // The first batch: its pictures, and each layer's values as [n,H,W,C].
  int first_count = 0;
  std::vector<std::vector<double>> first_values;
};

// Runs `graph` over all pictures, in batches. A layer that a mean over its whole map reads gets its
// largest value as the bound (the paper's unbounded last block).
Result<Calibration> Calibrate(const OnnxGraph& graph, const FloatNetwork& network,
                              const Pictures& pictures, const ImportOptions& options);

}  // namespace braid::convert
