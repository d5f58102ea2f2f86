#include "braid/model/layer_map.h"

#include "braid/model/integer_bounds.h"

namespace braid::model {

int MaxMagnitude(const Layer& layer) { return layer.op == Op::kInput ? kMaxPixel : kMaxQuantized; }

int ChannelsOf(const Layer& layer, GroupSet groups) {
  if (!layer.Divided()) return layer.Channels();
  int channels = 0;
  for (const int group : groups) channels += layer.group_channels[static_cast<size_t>(group)];
  return channels;
}

MapShape MapShapeOf(const Layer& layer, GroupSet groups) {
  return {.n = 1, .h = layer.out_h, .w = layer.out_w, .c = ChannelsOf(layer, groups)};
}

Window WindowOf(const Network& network, const Layer& layer) {
  const bool covers_map =
      layer.op == Op::kLinear && layer.window == Window{} && layer.out_h == 1 && layer.out_w == 1;
  if (!covers_map) return layer.window;
  const Layer& input = network.layers[static_cast<size_t>(layer.input)];
  return {.kernel_h = input.out_h, .kernel_w = input.out_w};
}

bool HasMapHead(const Network& network) {
  for (const Layer& layer : network.layers) {
    if (layer.op == Op::kLinear && (layer.out_h != 1 || layer.out_w != 1)) return true;
  }
  return false;
}

std::vector<InputBlock> InputBlocksOf(const Network& network, const Layer& layer) {
  std::vector<InputBlock> blocks;
  int first = 0;
  const std::vector<LayerIndex> inputs = layer.Inputs();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Layer& map = network.layers[static_cast<size_t>(inputs[i])];
    for (size_t g = 0; g < map.group_channels.size(); ++g) {
      const int channels = map.group_channels[g];
      blocks.push_back({.input = i,
                        .map = inputs[i],
                        .group = static_cast<int>(g),
                        .divided = map.Divided(),
                        .first_channel = first,
                        .channels = channels});
      first += channels;
    }
  }
  return blocks;
}

bool Reads(const Layer& layer, int out_group, const InputBlock& block) {
  return !block.divided || layer.dense || block.group == out_group;
}

int InputChannelsOf(const Network& network, const Layer& layer, GroupSet groups) {
  int channels = 0;
  for (const LayerIndex input : layer.Inputs()) {
    channels += ChannelsOf(network.layers[static_cast<size_t>(input)], groups);
  }
  return channels;
}

FilterBlocks FilterBlocksOf(const Network& network, const Layer& layer, int group) {
  const Layer& input = network.layers[static_cast<size_t>(layer.input)];
  const auto at = static_cast<size_t>(group);
  const int count = input.group_channels[at] / layer.filter_channels;
  return {.count = count, .outputs = layer.group_channels[at] / count};
}

WeightExtents WeightExtentsOf(const Network& network, const Layer& layer) {
  const Window window = WindowOf(network, layer);
  return {.outputs = layer.Channels(),
          .kernel_h = window.kernel_h,
          .kernel_w = window.kernel_w,
          .inputs = layer.filter_channels > 0
                        ? layer.filter_channels
                        : InputChannelsOf(network, layer, GroupSet::First(network.groups))};
}

std::vector<bool> NeededLayers(const Network& network, LayerIndex head) {
  std::vector<bool> needed(network.layers.size(), false);
  needed[static_cast<size_t>(head)] = true;
  for (size_t i = static_cast<size_t>(head) + 1; i-- > 0;) {
    if (!needed[i]) continue;
    const Layer& layer = network.layers[i];
    for (const LayerIndex used : layer.Inputs()) needed[static_cast<size_t>(used)] = true;
    if (layer.shortcut != kNoLayer) needed[static_cast<size_t>(layer.shortcut)] = true;
  }
  return needed;
}

}  // namespace braid::model
