#include "braid/runtime/schedule.h"

#include "braid/model/cost.h"
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
  schedule.is_exit.assign(layers, false);

  std::vector<bool> needed = model::NeededLayers(network, head);
  for (LayerIndex exit = 0; exits && exit < head; ++exit) {
    if (LayerAt(network, exit).op != Op::kLinear) continue;
    schedule.is_exit[static_cast<size_t>(exit)] = true;
    const std::vector<bool> also = model::NeededLayers(network, exit);
    for (size_t i = 0; i < layers; ++i) needed[i] = needed[i] || also[i];
  }

  schedule.exchanged =
      remote ? model::ExchangedLayers(network, needed) : std::vector<bool>(layers, false);
  for (LayerIndex i = 0; i <= head; ++i) {
    if (!needed[static_cast<size_t>(i)]) continue;
    const int step = static_cast<int>(schedule.order.size());
    schedule.order.push_back(i);
    const Layer& layer = LayerAt(network, i);
    for (const LayerIndex input : layer.Inputs()) {
      schedule.last_map_read[static_cast<size_t>(input)] = step;
    }
    if (layer.shortcut != model::kNoLayer) {
      schedule.last_wide_read[static_cast<size_t>(layer.shortcut)] = step;
    }
  }
  return schedule;
}

}  // namespace braid::runtime
