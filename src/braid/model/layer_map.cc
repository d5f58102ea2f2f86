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

WeightExtents WeightExtentsOf(const Network& network, const Layer& layer) {
  const Layer& input = network.layers[static_cast<size_t>(layer.input)];
  const bool linear = layer.op == Op::kLinear;
  return {.outputs = layer.Channels(),
          .kernel_h = linear ? input.out_h : layer.window.kernel_h,
          .kernel_w = linear ? input.out_w : layer.window.kernel_w,
          .inputs = input.Channels()};
}

std::vector<bool> NeededLayers(const Network& network, LayerIndex head) {
  std::vector<bool> needed(network.layers.size(), false);
  needed[static_cast<size_t>(head)] = true;
  for (size_t i = static_cast<size_t>(head) + 1; i-- > 0;) {
    if (!needed[i]) continue;
    for (const LayerIndex used : {network.layers[i].input, network.layers[i].shortcut}) {
      if (used != kNoLayer) needed[static_cast<size_t>(used)] = true;
    }
  }
  return needed;
}

}  // namespace braid::model
