// From a finished training to a model file: bounds and tables to integers, accuracies in floating
// point and in integers, card. Layer: training.
#pragma once

#include <string>

#include "braid/base/status.h"
#include "braid/data/dataset.h"
#include "braid/model/network.h"
#include "braid/training/braided_net.h"
#include "braid/training/family.h"
#include "braid/training/recipe.h"

namespace braid::training {

struct ExportedModel {
  model::Network network;
  double mean_float_gap = 0;   // integer minus float accuracy over the operating points
  double worst_float_gap = 0;  // the most negative of them
  int test_images = 0;         // in the model's test vectors
};

// `name` of the network and the `command` and `seconds` of the training go into the card.
Result<ExportedModel> ExportRun(BraidedNet& net, const Family& family, const Recipe& recipe,
                                const data::Dataset& train, const data::Dataset& test,
                                const std::string& name, const std::string& command,
                                double seconds);

// The sub-network of `groups` with the tables that the sub-network `from` (a superset) has: what an
// untrained half of a network answers when it is asked alone.
model::SubNetwork BorrowTables(const model::Network& network, int from, GroupSet groups);

}  // namespace braid::training
