// The families of sub-networks. Layer: training.
#include "braid/training/family.h"

#include <algorithm>

#include "braid/training/backbone.h"

namespace braid::training {
namespace {

constexpr GroupSet kFull = GroupSet::First(kGroups);
constexpr GroupSet kLowerHalf{0b0011};
constexpr GroupSet kUpperHalf{0b1100};
constexpr GroupSet kUpperQuarter{0b0100};

std::vector<GroupSet> LowerAligned() {
  std::vector<GroupSet> sets;
  for (int count = 1; count <= kGroups; ++count) sets.push_back(GroupSet::First(count));
  return sets;
}

std::vector<GroupSet> Singles(GroupSet groups) {
  std::vector<GroupSet> sets;
  for (const int g : groups) sets.push_back(GroupSet::Single(g));
  return sets;
}

Family Fluid4() {
  Family family{"fluid4", {}, {}, {}};
  for (uint32_t mask = 1; mask <= kFull.mask(); ++mask) {
    const GroupSet set(mask);
    family.sub_networks.push_back(set);
    if (set.size() >= 2) family.sums.push_back(Singles(set));  // g0,1 .. g0,1,2,3
    // Two devices that carry two groups each, three and one, in every division of the four.
    const GroupSet rest = kFull - set;
    if (!rest.empty() && set.Contains(0)) family.sums.push_back({set, rest});
  }
  // Small sets first, so that lists read from narrow to wide.
  std::stable_sort(family.sub_networks.begin(), family.sub_networks.end(),
                   [](GroupSet a, GroupSet b) { return a.size() < b.size(); });
  for (auto& terms : family.sums) {
    std::sort(terms.begin(), terms.end(),
              [](GroupSet a, GroupSet b) { return *a.begin() < *b.begin(); });
  }
  family.trained_sums = {Singles(kFull)};
  for (int partner = 1; partner < kGroups; ++partner) {
    const GroupSet pair = GroupSet::Single(0).With(partner);
    family.trained_sums.push_back({pair, kFull - pair});
  }
  return family;
}

}  // namespace

Result<Family> MakeFamily(const std::string& name) {
  if (name == "static") return Family{name, {kFull}, {}, {}};
  if (name == "dynamic") return Family{name, LowerAligned(), {}, {}};
  if (name == "fluid2") {
    Family family{name,
                  LowerAligned(),
                  {{kLowerHalf, kUpperHalf}, {kLowerHalf, kUpperQuarter}},
                  {{kLowerHalf, kUpperHalf}}};
    family.sub_networks.push_back(kUpperQuarter);
    family.sub_networks.push_back(kUpperHalf);
    return family;
  }
  if (name == "fluid4") return Fluid4();
  if (name == "alone1" || name == "alone2" || name == "alone3") {
    return Family{name, {GroupSet::First(name.back() - '0')}, {}, {}};
  }
  if (name == "ensemble2") {
    return Family{name, {kLowerHalf, kUpperHalf}, {{kLowerHalf, kUpperHalf}}, {}};
  }
  if (name == "ensemble4") return Family{name, Singles(kFull), {Singles(kFull)}, {}};
  return InvalidArgument("family: '" + name +
                         "' is none of static, dynamic, fluid2, fluid4, alone1, alone2, alone3, "
                         "ensemble2, ensemble4");
}

std::string PointName(const std::vector<GroupSet>& terms) {
  std::string name = "g";
  for (size_t t = 0; t < terms.size(); ++t) {
    if (t > 0) name += ',';
    std::vector<int> groups;
    for (const int g : terms[t]) groups.push_back(g);
    for (size_t i = 0; i < groups.size();) {
      size_t end = i;
      while (end + 1 < groups.size() && groups[end + 1] == groups[end] + 1) ++end;
      if (i > 0) name += '+';
      name += std::to_string(groups[i]);
      if (end - i >= 2) {
        name += '-' + std::to_string(groups[end]);
        i = end + 1;
      } else {
        i += 1;
      }
    }
  }
  return name;
}

}  // namespace braid::training
