// Seeded random networks that pass model::Validate, for tests of whatever runs networks.
// Layer: runtime, tests.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/model/network.h"

namespace braid::runtime::testing {

// What may occur in the network; the seed decides what does.
struct RandomNetworkOptions {
  int groups = 4;         // every non-empty set of them is a sub-network, so keep it small
  bool shortcuts = true;  // residual additions
  bool pools = true;      // maximum and sum
  bool grouped = true;    // convolutions that are not dense
  bool exits = false;     // heads before the last
  bool concatenations = false;  // convolutions and heads that read several maps
  bool filters = false;   // convolutions whose filters read few channels, depthwise ones among them
  bool padding = false;   // what pads the image: pixels of any value
  bool map_heads = false;  // half of the heads have a window
  int max_side = 13;      // of the input map
  int max_layers = 7;     // before the last head
  int classes = 10;
};

// Deterministic by seed and options. Shapes are odd on purpose (sides, strides, paddings, unlike
// groups); multipliers spread values over their range, a few are extreme. Has a point for every
// sub-network, and for each exit of each of them.
model::Network RandomNetwork(uint64_t seed, const RandomNetworkOptions& options = {});

// The network of docs/architecture.md's examples: 28x28x1, three 3x3 convolutions with strides 2,
// 2, 1 over `groups` groups of `channels` channels, and a head. Random weights.
model::Network SmallImageNetwork(uint64_t seed, int groups = 4, int channels = 8);

// `layers` 3x3 convolutions of 4 channels a group over 6x6 images, each of which reads all maps
// before it, and a head that reads them all. Two groups.
model::Network ConcatenatingNetwork(uint64_t seed, int layers);

// `layers` 3x3 convolutions of 8 channels a group over images of one channel, a residual addition
// where there are four or more, and a head that answers every pixel with a few gray levels.
model::Network RestoringNetwork(uint64_t seed, int layers, int height, int width, int groups = 2);

// The form of VRCNN: a 5x5 convolution, two pairs of parallel ones of unlike windows, each pair read
// as one map by what follows, and a head that answers every pixel. A radius of 6 pixels.
model::Network BranchingNetwork(uint64_t seed, int height, int width, int groups = 2);

// `n` random images for `network`, [n,H,W,C].
std::vector<uint8_t> RandomPixels(uint64_t seed, const model::Network& network, int n);

}  // namespace braid::runtime::testing
