// Stages of the two policies. Layer: training.
#include "braid/training/fluid/stages.h"

#include <algorithm>
#include <numeric>

#include "braid/training/backbone.h"

namespace braid::training {
namespace {

// More sub-networks than this are sampled instead of trained in every step.
constexpr size_t kMostTrainedTogether = 6;

int IndexOf(const Family& family, GroupSet set) {
  const auto it = std::find(family.sub_networks.begin(), family.sub_networks.end(), set);
  return static_cast<int>(it - family.sub_networks.begin());
}

// Lower-aligned sub-networks first, each in the order of its width, then the others ("nested").
std::vector<int> IncrementalOrder(const Family& family) {
  std::vector<int> order(family.sub_networks.size());
  std::iota(order.begin(), order.end(), 0);
  const auto rank = [&](int index) {
    const GroupSet set = family.sub_networks[static_cast<size_t>(index)];
    const bool lower = set == GroupSet::First(set.size());
    return std::pair(lower ? 0 : 1, set.size());
  };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return rank(a) < rank(b); });
  return order;
}

}  // namespace

std::vector<Stage> MakeStages(const Family& family, const Recipe& recipe) {
  std::vector<Stage> stages;
  if (recipe.policy == Policy::kJoint) {
    Stage stage;
    stage.name = "joint";
    stage.subs.resize(family.sub_networks.size());
    std::iota(stage.subs.begin(), stage.subs.end(), 0);
    stage.epochs = recipe.epochs;
    stage.trained = GroupSet::First(kGroups);
    stages.push_back(std::move(stage));
    return stages;
  }
  for (int outer = 0; outer < recipe.outer_iterations; ++outer) {
    GroupSet done_lower, done_upper;
    for (const int sub : IncrementalOrder(family)) {
      const GroupSet set = family.sub_networks[static_cast<size_t>(sub)];
      const bool lower = set == GroupSet::First(set.size());
      Stage stage;
      stage.name = PointName({set});
      stage.subs = {sub};
      stage.epochs = static_cast<double>(recipe.epochs) / recipe.outer_iterations;
      if (lower || recipe.write_back) stage.trained = set;
      if (recipe.freeze) stage.frozen = lower ? done_lower : done_upper;
      stage.bounds = outer + 1 == recipe.outer_iterations;
      (lower ? done_lower : done_upper) = set;
      stages.push_back(std::move(stage));
    }
  }
  return stages;
}

std::vector<int> SampleStep(const Family& family, Rng& rng) {
  std::vector<int> subs;
  if (family.sub_networks.size() <= kMostTrainedTogether) {
    subs.resize(family.sub_networks.size());
    std::iota(subs.begin(), subs.end(), 0);
  } else {
    const GroupSet full = GroupSet::First(kGroups);
    subs.push_back(IndexOf(family, full));
    for (const int g : full) subs.push_back(IndexOf(family, GroupSet::Single(g)));
    for (int partner = 1; partner < kGroups; ++partner) {
      const GroupSet pair = GroupSet::Single(0).With(partner);
      subs.push_back(IndexOf(family, pair));
      subs.push_back(IndexOf(family, full - pair));
    }
    const auto left_out = static_cast<int>(rng.Below(kGroups));
    subs.push_back(IndexOf(family, full - GroupSet::Single(left_out)));
  }
  std::stable_sort(subs.begin(), subs.end(), [&](int a, int b) {
    return family.sub_networks[static_cast<size_t>(a)].size() >
           family.sub_networks[static_cast<size_t>(b)].size();
  });
  return subs;
}

}  // namespace braid::training
