// Runs a float network in double precision, layer by layer, and the same sums over integers: doubles
// hold integers below 2^53 exactly, so one convolution serves the float network and the arithmetic
// of every quantization scheme. Layer: convert, internal.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "braid/convert/float_network.h"

namespace braid::convert {

// One picture's values of each layer, [layers][H*W*C].
using LayerMaps = std::vector<std::vector<double>>;

struct FloatMaps {
  LayerMaps sum;   // weights and bias alone; filled where the layer adds a shortcut
  LayerMaps wide;  // the shortcut added, before the activation
  LayerMaps map;   // what later layers read
};

// Weights of `layer` as [kernel_h*kernel_w*inputs][channels], so that the innermost loop runs over
// neighbouring outputs.
std::vector<double> OutputsLast(const FloatLayer& layer, std::span<const double> weights);

// The sums over the window of `layer`, [H*W*channels], starting at 0: of products with `weights`
// (OutputsLast of AllChannels) for convolutions and heads, of the values alone for means. `input` is
// the map of `source`, or of all the layer's inputs (InputMap), and `padding` pads it (PaddingOf).
std::vector<double> WindowSums(const FloatLayer& layer, const FloatLayer& source,
                               const std::vector<double>& input,
                               const std::vector<double>& weights,
                               const std::vector<double>& padding);

// What pads the channels of the maps that `layer` reads: `image` [channels] the image, 0 the others.
// Empty: 0 everywhere.
std::vector<double> PaddingOf(const FloatNetwork& network, const FloatLayer& layer,
                              const std::vector<double>& image);

// Padding counts as `padding`.
std::vector<double> WindowMaxima(const FloatLayer& layer, const FloatLayer& source,
                                 const std::vector<double>& input, double padding);

// The network as FloatNetwork describes it: its input is pixel - 128, padded as the graph's.
class FloatRun {
 public:
  explicit FloatRun(const FloatNetwork& network);  // borrowed

  // `picture` [H,W,C].
  FloatMaps Run(std::span<const uint8_t> picture) const;

 private:
  const FloatNetwork& network_;
  LayerMaps weights_;  // OutputsLast of AllChannels
};

}  // namespace braid::convert
