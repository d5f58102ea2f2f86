#include "braid/runtime/schedule.h"

#include "braid/model/layer_map.h"
#include "braid/runtime/layer_geometry.h"

namespace braid::runtime {

using model::Layer;
using model::LayerIndex;
using model::Op;

Schedule MakeSchedule(const model::Network& network, LayerIndex head, bool remote, bool exits) {
  const size_t layers = network.layers.size();
  Schedule schedule;
  schedule.last_map_read.assign(layers, kNever);
  schedule.last_wide_read.assign(layers, kNever);
  schedule.exchanged.assign(layers, false);
  schedule.is_exit.assign(layers, false);

  std::vector<bool> needed = model::NeededLayers(network, head);
  for (LayerIndex exit = 0; exits && exit < head; ++exit) {
    if (LayerAt(network, exit).op != Op::kLinear) continue;
    schedule.is_exit[static_cast<size_t>(exit)] = true;
    const std::vector<bool> also = model::NeededLayers(network, exit);
    for (size_t i = 0; i < layers; ++i) needed[i] = needed[i] || also[i];
  }

  for (LayerIndex i = 0; i <= head; ++i) {
    if (!needed[static_cast<size_t>(i)]) continue;
    const int step = static_cast<int>(schedule.order.size());
    schedule.order.push_back(i);
    const Layer& layer = LayerAt(network, i);
    if (layer.input == model::kNoLayer) continue;
    schedule.last_map_read[static_cast<size_t>(layer.input)] = step;
    if (layer.shortcut != model::kNoLayer) {
      schedule.last_wide_read[static_cast<size_t>(layer.shortcut)] = step;
    }
    // Only a dense convolution reads other groups' maps: pools and grouped convolutions keep to
    // their group, and heads exchange partial sums instead.
    if (remote && layer.op == Op::kConv && layer.dense && LayerAt(network, layer.input).Divided()) {
      schedule.exchanged[static_cast<size_t>(layer.input)] = true;
    }
  }
  return schedule;
}

}  // namespace braid::runtime
