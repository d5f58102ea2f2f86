// Which channels a layer's weights meet, where it reads several maps or its filters few channels, in
// the float network and in Braid's, whose channels are filled up. Layer: convert, internal.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "braid/convert/float_network.h"

namespace braid::convert {

// All layers that `layer` reads, in the order of its weights.
std::vector<int> InputsOf(const FloatLayer& layer);

// Channels of all maps that the layer reads.
int InputChannels(const FloatNetwork& network, const FloatLayer& layer);

// Channels of layer `l` in a .braid network: filled up with zeros to multiples of 4. Filters of few
// channels have as many outputs to each block of the filled-up input as the graph has.
int FilledUpChannels(const FloatNetwork& network, size_t l);

// Whether a convolution of `outputs` channels whose filters read `width` channels each keeps that
// form over a map of `inputs` channels, `filled` when filled up.
bool KeepsFilters(int inputs, int filled, int width, int outputs);

// One of the input channels in a layer's rows of weights.
struct InputColumn {
  int map = 0;        // the layer that it is a channel of
  size_t stored = 0;  // its place in the rows of a .braid layer's weights
};
// [FloatLayer's weights a position]
std::vector<InputColumn> InputColumns(const FloatNetwork& network, const FloatLayer& layer);

// Weights as those of a convolution that reads all channels: zeros where a filter does not.
std::vector<double> AllChannels(const FloatNetwork& network, const FloatLayer& layer,
                                std::span<const double> weights);

// The maps that `layer` reads as one, [H*W*C]. `maps` by layer; `own` holds it where it has to be
// made.
const std::vector<double>& InputMap(const FloatNetwork& network, const FloatLayer& layer,
                                    const std::vector<std::vector<double>>& maps,
                                    std::vector<double>& own);

}  // namespace braid::convert
