#include "braid/runtime/execution_plan.h"

#include <algorithm>

#include "braid/runtime/layer_geometry.h"

namespace braid::runtime {

int64_t ExecutionPlan::MapBytes(model::LayerIndex index, int group) const {
  const model::Network& network = model_.network();
  if (index < 0 || index >= static_cast<model::LayerIndex>(network.layers.size())) return 0;
  const model::Layer& layer = LayerAt(network, index);
  if (group < 0 || group >= network.groups || layer.op == model::Op::kLinear) return 0;
  return GroupMapBytes(layer, group);
}

int64_t ExecutionPlan::logits_per_image() const {
  const model::Layer& head = LayerAt(model_.network(), spec_.head);
  return int64_t{head.out_h} * head.out_w * head.Channels();
}

int ExecutionPlan::SlotOf(model::LayerIndex layer) const {
  const auto found = std::find(exchanges_.begin(), exchanges_.end(), layer);
  return found == exchanges_.end() ? kNoSlot : static_cast<int>(found - exchanges_.begin());
}

}  // namespace braid::runtime
