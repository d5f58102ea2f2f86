// What is trained when: the stages of a policy, and the sub-networks of a joint step. Layer:
// training. Source: Fluid Dynamic DNNs (arXiv 2401.08943), nested incremental training; the parts
// that the paper leaves open are settings of the recipe.
#pragma once

#include <string>
#include <vector>

#include "braid/base/rng.h"
#include "braid/training/family.h"
#include "braid/training/recipe.h"

namespace braid::training {

// Consecutive steps that train the same sub-networks.
struct Stage {
  std::string name;
  std::vector<int> subs;  // indices into Family::sub_networks; more than one: joint
  double epochs = 0;
  GroupSet trained;    // weight blocks within these groups move (empty: no weights move) ...
  GroupSet frozen;     // ... except the blocks within these
  bool bounds = true;  // whether the stage ends with bounds and rounding
};

std::vector<Stage> MakeStages(const Family& family, const Recipe& recipe);

// The sub-networks of one joint step, widest first. Families of up to six train all of them. Of the
// fifteen: the full network, the four quarters, the six pairs (so all three divisions into two are
// trained as sums as well), and a random triple.
std::vector<int> SampleStep(const Family& family, Rng& rng);

}  // namespace braid::training
