// Backbones: networks without weights, as the graph that training interprets and export fills.
// Layer: training.
#pragma once

#include <string>

#include "braid/base/status.h"
#include "braid/model/network.h"

namespace braid::training {

// Every trained network is divided into four channel groups (quarters).
inline constexpr int kGroups = 4;

struct BackboneSpec {
  std::string name = "cnn";  // "cnn", "resnetN", "densenetN", "vdsrN", "vrcnn" ...
  int height = 28, width = 28, image_channels = 1;
  int classes = 10;
  // Channels of the narrowest convolution, a multiple of 16 (group boundaries are multiples of 4).
  int channels = 32;
  // Cross weights between the groups of a sub-network, or grouped convolution.
  bool dense = true;
};

// cnn: three 3x3 convolutions of `channels` channels, strides 2, 2, 1, and one linear layer over
// the last map. resnetN (N = 6n + 2): a 3x3 stem and three stages of n residual blocks of c, 2c, 4c
// channels, strides 1, 2, 2, whose shortcuts carry the wide values, a sum pool over the last map
// and one linear layer. resnet: resnet8. vdsrN (N = 3..64): N 3x3 convolutions of stride 1, the
// last one a head of one channel that is added to the image (Kim et al., "Accurate Image
// Super-Resolution Using Very Deep Convolutional Networks", 2016); `classes` has no meaning. vdsr:
// vdsr20. vrcnn: 5x5 convolutions of `channels` (64 as published), then 5x5 of a quarter beside 3x3 of
// half as many, 3x3 of a quarter beside 1x1 of half as many, each reading both maps before it, and a
// 3x3 head over both that is added to the image (Dai et al., "A Convolutional Neural Network Approach
// for Post-Processing in HEVC Intra Coding", 2017). densenetN (N = 3n + 5): a 3x3 stem of twice
// `channels` and three dense blocks of n 3x3 convolutions of `channels`, each of which reads all maps
// of its block, with a 1x1 convolution behind each that halves the channels, and the size but for the
// last (after Huang et al., "Densely Connected Convolutional Networks", 2017); a sum pool and one
// linear layer. Neither can be grouped.
// INVALID_ARGUMENT for an unknown name or sizes that do not fit.
Result<model::Network> MakeBackbone(const BackboneSpec& spec);

// Whether the convolutions of this backbone train with a private normalization per sub-network.
bool BackboneNormalizes(const std::string& name);

// Whether this backbone answers with an image that is added to its input, and not with classes.
bool BackboneRestores(const std::string& name);

}  // namespace braid::training
