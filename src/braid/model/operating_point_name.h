// The names of operating points: which channel groups run together, whose logits are added, which
// exit answers. Layer: model.
//
//   name  := "g" term ("," term)* ["/e" exit]
//   term  := run ("+" run)*       groups combined through cross weights
//   run   := group | group "-" group
//
// "g0": one group. "g0+1": two groups combined. "g0,1": two groups that ran alone, logits added.
// "g0+1,2+3": two pairs. "g0-3/e2": groups 0 to 3 combined, answered by exit 2.
//
// A set has one name only: groups ascend within a term, three or more consecutive groups are
// written as a range and two are not, terms ascend by their lowest group, numbers have no leading
// zeros. So names can be compared as text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "braid/base/status.h"
#include "braid/model/network.h"
#include "braid/tensor/group_set.h"

namespace braid::model {

struct PointName {
  std::vector<GroupSet> terms;  // non-empty, disjoint, ascending by lowest group
  std::optional<int> exit;      // none: the last head answers
  bool operator==(const PointName&) const = default;
};

// The name of `terms` (non-empty and disjoint, in any order) answered by `exit`.
std::string FormatPointName(std::vector<GroupSet> terms, std::optional<int> exit = std::nullopt);

// INVALID_ARGUMENT says what is wrong; for a well-formed name in a form other than the one above,
// it says how to write it.
Result<PointName> ParsePointName(std::string_view name);

// The exit number of `head`: heads count from 0 in layer order; the last one has none.
std::optional<int> ExitOfHead(const Network& network, LayerIndex head);

// The head of exit number `exit` (none: the last head), or kNoLayer where there is none.
LayerIndex HeadOfExit(const Network& network, std::optional<int> exit);

}  // namespace braid::model
