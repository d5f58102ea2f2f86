// Quantization schemes, each in its own integer arithmetic, so that they can be compared on one
// network. Bounded ReLU is what a .braid file holds (at 8 bits); the others need zero points or float
// rescaling, which no device has: they are computed here and nowhere else. Layer: convert, internal.
// Sources: docs/numerics.md, section 7.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "braid/convert/float_run.h"
#include "braid/convert/quantize_network.h"

namespace braid::convert {

class SchemeNetwork {
 public:
  virtual ~SchemeNetwork() = default;

  // The integer maps of one picture as the real values that they stand for; the last are the logits.
  LayerMaps Run(std::span<const uint8_t> picture) const;

  // Real value of one integer of a layer's map; 0: it has none.
  double step(size_t layer) const { return step_[layer]; }
  // The largest value that a layer's map can stand for; heads have none and never clip.
  double bound(size_t layer) const { return high_[layer]; }
  bool Clips(size_t layer, double value) const {
    const double half = step_[layer] / 2;
    return value > high_[layer] + half || value < low_[layer] - half;
  }
  // Largest step of a layer's weights, 0 without weights.
  double weight_step(size_t layer) const { return weight_step_[layer]; }

 protected:
  struct State {
    LayerMaps map;   // integers
    LayerMaps wide;  // what a shortcut reads, as the scheme keeps it
  };

  explicit SchemeNetwork(const FloatNetwork& from);  // borrowed

  // From sums of products of integers, zero points taken off (WindowSums), to map and wide value.
  virtual void Finish(size_t layer, const std::vector<double>& sums, State& state) const = 0;

  const FloatNetwork& from_;
  std::vector<uint8_t> is_shortcut_;          // [layers] whether a later layer adds it
  LayerMaps weights_;                         // [layers], OutputsLast, integers without zero point
  std::vector<double> padding_;               // [channels] of the image, integers; empty: 0
  std::vector<double> zero_;                  // [layers] zero point of the map
  std::vector<double> step_, weight_step_;
  std::vector<double> low_, high_;            // [layers] what the map can stand for
};

// The smallest and largest value, and the threshold of least KL divergence (largest magnitude that
// is not clipped), of what a scheme rounds.
struct Range {
  double low = 0, high = 0, threshold = 0;
};
struct LayerRanges {
  Range sum, wide, map;  // FloatMaps
};
// Over all `pictures` [count,H,W,C]; thresholds for 2^(bits-1) levels.
std::vector<LayerRanges> MeasureRanges(const FloatNetwork& network,
                                       std::span<const uint8_t> pictures, int count, int bits);
// eq. 17: `histogram` of magnitudes in bins of equal width; the number of bins kept.
size_t EntropyBins(const std::vector<double>& histogram, size_t levels);

// Equations 2 to 11 with 2^(bits-1)-1 in the place of 127; `quantized` is moved in.
std::unique_ptr<SchemeNetwork> MakeBounded(const FloatNetwork& from, QuantizedNetwork quantized,
                                           int bits);
// Affine, from the smallest to the largest value; eq. 15 and 16. Weights have one step a layer.
std::unique_ptr<SchemeNetwork> MakeMinMax(const FloatNetwork& from,
                                          const std::vector<LayerRanges>& ranges, int bits);
// Symmetric, thresholds by entropy, weights with one step a channel (or a layer); eq. 17 and 18.
std::unique_ptr<SchemeNetwork> MakeEntropy(const FloatNetwork& from,
                                           const std::vector<LayerRanges>& ranges, int bits,
                                           bool step_per_layer);

}  // namespace braid::convert
