// The card of a trained model: where it comes from and what it answers correctly. Layer: training.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "braid/data/dataset.h"
#include "braid/model/network.h"
#include "braid/training/recipe.h"

namespace braid::training {

struct CardFacts {
  Recipe recipe;
  std::string command;                           // that trained it
  double seconds = 0;                            // of training; 0 where not known
  // Per operating point, fraction of the test set: the bounded network without any rounding.
  std::map<std::string, double> float_accuracy;
  // The same without bounds, where the bounds were measured after the training; else empty.
  std::map<std::string, double> unbounded_accuracy;
  // Sets of groups that the family was not trained for, asked alone all the same with the tables of
  // the full network: integer accuracy.
  std::map<std::string, double> asked_alone;
};

// JSON: data sets with digests and terms, recipe, command, accuracies (integer ones from the points
// of `network`), licence, maker.
std::string MakeCard(const CardFacts& facts, const model::Network& network,
                     const data::Dataset& train, const data::Dataset& test);

}  // namespace braid::training
