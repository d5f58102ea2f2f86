// Families: which sub-networks are trained over one set of weights, and which sums of logits become
// operating points. Layer: training. Source: Fluid Dynamic DNNs (arXiv 2401.08943).
#pragma once

#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/tensor/group_set.h"

namespace braid::training {

struct Family {
  std::string name;
  std::vector<GroupSet> sub_networks;               // one-term operating points, one each
  std::vector<std::vector<GroupSet>> sums;          // operating points of several terms
  std::vector<std::vector<GroupSet>> trained_sums;  // sums whose cross-entropy is in the loss
};

// static      the full network only
// dynamic     lower-aligned 25, 50, 75, 100 %
// fluid2      those, "upper 25 %" {2} and "upper 50 %" {2,3}: two devices
// fluid4      every non-empty subset of the four groups
// alone1..3   one sub-network of that many quarters, trained alone
// ensemble2   two independent halves (no shared weight, no common loss), logits averaged
// ensemble4   four independent quarters
// INVALID_ARGUMENT, with the names, for another name.
Result<Family> MakeFamily(const std::string& name);

// "g0+1,2+3": groups ascending, three or more consecutive groups as a range, terms after a comma.
std::string PointName(const std::vector<GroupSet>& terms);

}  // namespace braid::training
