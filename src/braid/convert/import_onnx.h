// An ONNX classifier, or a network that restores images, as an integer network of Braid, with
// bounds from the user's own pictures. Layer: convert. Method: Efficient Integer-Arithmetic-Only
// CNNs with Bounded ReLU (arXiv 2006.11735): a layer's bound is the value at a rank fraction of its
// outputs, per batch, averaged over batches.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/model/network.h"

namespace braid::convert {

struct ImportOptions {
  // x = (pixel - mean) / std, one value or one for each channel; std > 0.
  std::vector<double> mean, std;
  double rank = 0.9997;         // in (0, 1]
  bool step_per_layer = false;  // one weight step a layer instead of one an output channel
  // Of weights and maps, signed, 2..8; a .braid file holds 8 (scheme_report.h takes fewer).
  int bits = 8;
  bool snap = false;  // moves bounds to multipliers of few bits; with one weight step a layer
  std::string name;   // of the network
  std::vector<std::string> labels;  // one a class; empty: "0", "1", ...; a restorer has none
  std::string source;               // for the card: where the model came from
  std::string calibration;          // for the card: which pictures
};

// Calibration pictures, [count,height,width,channels].
struct Pictures {
  std::span<const uint8_t> pixels;
  int count = 0, height = 0, width = 0, channels = 0;
};

struct LayerReport {
  std::string name;
  std::string op;
  double bound = 0;  // real value of the integer 127; 0: none (heads, pools that keep a step)
  double clipped_share = 0;  // of the calibration's values, beyond the bound
  double step = 0;           // of the map: bound / 127
  double weight_step = 0;    // largest of the layer's
  double error = 0;          // RMS of (integer - float) over RMS of float, on the first pictures
};

struct ImportedModel {
  model::Network network;  // one group, one point "g0" (accuracy 0: not measured), test vectors
  std::vector<LayerReport> layers;
  // Share of the compared pictures with the float network's class; of a network that restores
  // images
  // (`restores`), share of their pixels with the float network's gray level.
  double same_answers = 0;
  bool restores = false;
  int compared = 0;
  double padding_offset = 0;  // FloatNetwork::padding_offset
};

// `bytes` is hostile. INVALID_ARGUMENT, UNIMPLEMENTED: see ParseOnnx and LowerGraph; at least one
// picture is needed.
Result<ImportedModel> ImportOnnx(std::span<const uint8_t> bytes, const Pictures& pictures,
                                 const ImportOptions& options);

}  // namespace braid::convert
