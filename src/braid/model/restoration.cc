#include "braid/model/restoration.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "braid/model/cost.h"
#include "braid/model/layer_map.h"

namespace braid::model {
namespace {

// A window that leaves a map of its input's size, centred.
bool KeepsSize(const Window& w) {
  return w.stride_h == 1 && w.stride_w == 1 && w.kernel_h == w.kernel_w && w.kernel_h % 2 == 1 &&
         w.pad_top == w.kernel_h / 2 && w.pad_bottom == w.pad_top && w.pad_left == w.pad_top &&
         w.pad_right == w.pad_top;
}

Status NoRestorer(const std::string& why) {
  return InvalidArgument("the model does not restore images: " + why);
}

}  // namespace

Result<int> RestorationRadius(const Network& network) {
  const auto head = static_cast<LayerIndex>(network.layers.size()) - 1;
  const Layer& last = network.layers.back();
  if (last.op != Op::kLinear || last.out_h != network.input_h || last.out_w != network.input_w) {
    return NoRestorer("it answers with classes");
  }
  if (network.input_c != 1 || last.Channels() != 1) {
    return NoRestorer(
        fmt::format("it takes {} channels and answers with {}", network.input_c, last.Channels()));
  }
  const std::vector<bool> needed = NeededLayers(network, head);
  std::vector<int> radius(network.layers.size(), 0);
  for (size_t i = 1; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    if (!needed[i]) continue;
    if (!KeepsSize(WindowOf(network, layer))) {
      return NoRestorer(fmt::format("layers[{}] does not keep its map's size", i));
    }
    for (const LayerIndex input : layer.Inputs()) {
      radius[i] = std::max(radius[i], radius[static_cast<size_t>(input)]);
    }
    radius[i] += layer.window.pad_top;
    if (layer.shortcut != kNoLayer) {
      radius[i] = std::max(radius[i], radius[static_cast<size_t>(layer.shortcut)]);
    }
  }
  return radius.back();
}

Result<Network> WithInputSize(const Network& network, int height, int width) {
  Network resized = network;
  resized.input_h = height;
  resized.input_w = width;
  resized.test_images.clear();
  for (SubNetwork& sub_network : resized.sub_networks) sub_network.map_digests.clear();
  for (size_t i = 0; i < resized.layers.size(); ++i) {
    Layer& layer = resized.layers[i];
    if (layer.op == Op::kInput) {
      layer.out_h = height;
      layer.out_w = width;
      continue;
    }
    const Window w = layer.window;
    if (layer.op == Op::kLinear && WindowOf(network, network.layers[i]) != w) {
      return InvalidArgument(
          fmt::format("layers[{}] covers its whole map, whose size is fixed by its weights", i));
    }
    const Layer& input = resized.layers[static_cast<size_t>(layer.input)];
    const int high = input.out_h + w.pad_top + w.pad_bottom - w.kernel_h;
    const int wide = input.out_w + w.pad_left + w.pad_right - w.kernel_w;
    if (high < 0 || wide < 0) {
      return InvalidArgument(fmt::format("layers[{}]: its window does not fit into a map of {}x{}",
                                         i, input.out_h, input.out_w));
    }
    layer.out_h = high / w.stride_h + 1;
    layer.out_w = wide / w.stride_w + 1;
  }
  for (OperatingPoint& point : resized.points) {
    const Cost cost = PointCost(resized, point);
    point.macs_mean = cost.macs;
    point.macs_worst = cost.macs;
  }
  return resized;
}

}  // namespace braid::model
