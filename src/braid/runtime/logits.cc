// FinishLogits: from a head's sums to the logits of a sub-network. Layer: runtime.
#include "braid/base/check.h"
#include "braid/kernels/reference/requantization.h"
#include "braid/runtime/execution.h"
#include "braid/runtime/layer_geometry.h"

namespace braid::runtime {

void FinishLogits(const model::Network& network, int sub_network, model::LayerIndex head,
                  std::span<int32_t> partial_sums) {
  const model::Layer& layer = LayerAt(network, head);
  BRAID_CHECK(layer.op == model::Op::kLinear) << "layer " << head << " is no head";
  const model::LayerTables& tables =
      network.sub_networks[static_cast<size_t>(sub_network)].tables[static_cast<size_t>(head)];
  // Ten values an image: the scalar form is the only one.
  kernels::reference::RescaleLogits({.classes = layer.Channels(),
                                     .bias = tables.bias.data(),
                                     .mul = tables.mul.data(),
                                     .clamp = tables.clamp,
                                     .shift = tables.shift},
                                    partial_sums);
}

}  // namespace braid::runtime
