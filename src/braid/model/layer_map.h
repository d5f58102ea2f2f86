// What the map of a layer looks like: kind, extents, channels of a sub-network. Layer: model.
// All of it is meant for networks that passed Validate.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/model/network.h"
#include "braid/tensor/element_kind.h"
#include "braid/tensor/group_set.h"
#include "braid/tensor/map_shape.h"

namespace braid::model {

// The kind of integer in the layer's map.
constexpr ElementKind MapKind(Op op, Activation activation) {
  if (op == Op::kInput) return ElementKind::kS8;
  switch (activation) {
    case Activation::kRelu:
      return ElementKind::kU7;
    case Activation::kSigned:
      return ElementKind::kS8;
    case Activation::kLogits:
      return ElementKind::kWide;
  }
  return ElementKind::kWide;
}

// The largest magnitude in the layer's map, as a later layer multiplies it.
int MaxMagnitude(const Layer& layer);

// Channels of the layer's map that belong to `groups`; all of them where the layer is not divided.
int ChannelsOf(const Layer& layer, GroupSet groups);

// [1,H,W,C] of the layer's map in a sub-network of `groups`.
MapShape MapShapeOf(const Layer& layer, GroupSet groups);

// The window in which `layer` (not kInput) reads its input: its own, or the whole map where it is a
// head without one. A head of 1x1 without a window over a map of 1x1 is both.
Window WindowOf(const Network& network, const Layer& layer);

// Whether some head answers with a map and not with one row of logits.
bool HasMapHead(const Network& network);

// A run of a layer's input channels: those of one of its maps in one channel group, or all of a map
// that is not divided.
struct InputBlock {
  size_t input = 0;   // which of the layer's inputs
  LayerIndex map = kNoLayer;  // the layer whose map that is
  int group = 0;      // 0 where the map is not divided
  bool divided = true;
  int first_channel = 0;  // among the layer's input channels
  int channels = 0;
};
// All blocks of a layer (not kInput) in the order of its input channels: map after map, in each
// group after group. What a channel of group g reads of a layer that is not dense: the blocks of g
// and of maps that are not divided.
std::vector<InputBlock> InputBlocksOf(const Network& network, const Layer& layer);
// Whether output channels of `out_group` read `block`, where both are part of the sub-network.
bool Reads(const Layer& layer, int out_group, const InputBlock& block);
// Channels of all maps that `layer` reads, in `groups`.
int InputChannelsOf(const Network& network, const Layer& layer, GroupSet groups);

// Filter blocks (Layer::filter_channels > 0) of channel group `group`, and outputs of each.
struct FilterBlocks {
  int count = 0, outputs = 0;
};
FilterBlocks FilterBlocksOf(const Network& network, const Layer& layer, int group);

// Extents of the weights of `layer` (kConv or kLinear): OHWI, over all groups.
struct WeightExtents {
  int64_t outputs = 0, kernel_h = 0, kernel_w = 0, inputs = 0;
  int64_t Elements() const { return outputs * kernel_h * kernel_w * inputs; }
};
WeightExtents WeightExtentsOf(const Network& network, const Layer& layer);

// The layers that an answer of `head` needs, shortcuts included; true at [layer].
std::vector<bool> NeededLayers(const Network& network, LayerIndex head);

}  // namespace braid::model
