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

WeightExtents WeightExtentsOf(const Network& network, const Layer& layer) {
  const Layer& input = network.layers[static_cast<size_t>(layer.input)];
  const Window window = WindowOf(network, layer);
  return {.outputs = layer.Channels(),
          .kernel_h = window.kernel_h,
          .kernel_w = window.kernel_w,
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
