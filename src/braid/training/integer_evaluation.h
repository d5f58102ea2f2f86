// Accuracy of every operating point in the integer arithmetic that devices execute. Layer:
// training.
#pragma once

#include <vector>

#include "braid/base/status.h"
#include "braid/data/dataset.h"
#include "braid/model/network.h"

namespace braid::training {

// Logits [count, classes] of sub-network `sub` for every image of `dataset`.
Result<std::vector<int32_t>> IntegerLogits(const model::Network& network, int sub,
                                           const data::Dataset& dataset);

// Fraction of `dataset` that each point of `network` answers correctly, in the order of the points.
Result<std::vector<double>> EvaluateInteger(const model::Network& network,
                                            const data::Dataset& dataset);

}  // namespace braid::training
