// From a trained, bounded network to integers: shared weights rounded once, bias and multiplier
// tables per sub-network, logits of all sub-networks in one step. Layer: training. Derivation:
// docs/numerics.md, sections 3 and 4.
#pragma once

#include <vector>

#include "braid/base/status.h"
#include "braid/model/network.h"
#include "braid/training/braided_net.h"
#include "braid/training/family.h"

namespace braid::training {

// One unit of an integer logit: shared by every sub-network of every model, so that logits of
// sub-networks that ran alone may be added.
inline constexpr double kLogitStep = 1.0 / 1024;

// Fills weights, tables and operating points (name, terms, head, cost; not the accuracy) of the
// skeleton. `inputs` as BraidedNet::Input makes them: the ranges of shortcuts and logits are taken
// from them. FAILED_PRECONDITION when a sub-network has no bounds yet, or the
// net rounds to fewer bits than 8.
Result<model::Network> ExportNetwork(BraidedNet& net, const Family& family,
                                     const std::vector<torch::Tensor>& inputs);

}  // namespace braid::training
