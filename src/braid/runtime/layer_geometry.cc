#include "braid/runtime/layer_geometry.h"

#include "braid/model/layer_map.h"
#include "braid/model/limits.h"

namespace braid::runtime {

int GroupChannels(const model::Layer& layer, int group) {
  return layer.group_channels[layer.Divided() ? static_cast<size_t>(group) : 0];
}

int64_t GroupMapBytes(const model::Layer& layer, int group) {
  return int64_t{layer.out_h} * layer.out_w * GroupChannels(layer, group);
}

kernels::WindowGeometry GeometryOf(const model::Network& network, model::LayerIndex index,
                                   int channels) {
  const model::Layer& layer = LayerAt(network, index);
  const model::Layer& input = LayerAt(network, layer.input);
  kernels::WindowGeometry g;
  g.in_h = input.out_h;
  g.in_w = input.out_w;
  g.channels = channels;
  g.input_kind = model::MapKind(input.op, input.activation);
  g.out_h = layer.out_h;
  g.out_w = layer.out_w;
  const model::Window window = model::WindowOf(network, layer);
  g.kernel_h = window.kernel_h;
  g.kernel_w = window.kernel_w;
  g.stride_h = window.stride_h;
  g.stride_w = window.stride_w;
  g.pad_top = window.pad_top;
  g.pad_left = window.pad_left;
  return g;
}

bool RunsAsDepthwise(const model::Network& network, const model::Layer& layer,
                     kernels::Path path) {
  if (layer.filter_channels != 1 || !kernels::GeneratesDepthwise(path)) return false;
  for (int group = 0; group < network.groups; ++group) {
    if (model::FilterBlocksOf(network, layer, group).outputs != 1) return false;
  }
  return true;
}

// Each block is a call and some memory of its own; a small file could hold millions.
static constexpr int kMostFilterCalls = 64;

bool RunsAsFilterSums(const model::Network& network, const model::Layer& layer,
                      kernels::Path path) {
  if (layer.filter_channels == 0 || RunsAsDepthwise(network, layer, path)) return false;
  if (layer.filter_channels % model::kChannelMultiple != 0) return true;
  for (int group = 0; group < network.groups; ++group) {
    // Generated code may write wide values up to PaddedChannels, into the next block's.
    const auto [blocks, outputs] = model::FilterBlocksOf(network, layer, group);
    const bool whole = outputs == model::kChannelMultiple || outputs % kernels::kLanes == 0;
    if (blocks > kMostFilterCalls || !whole) return true;
  }
  return false;
}

}  // namespace braid::runtime
