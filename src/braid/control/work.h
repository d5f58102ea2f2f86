// What an operating point costs, split by term and channel group, so that a placement's work and
// traffic can be added up without running it. Layer: control.
#pragma once

#include <array>
#include <vector>

#include "braid/model/network.h"
#include "braid/tensor/group_set.h"

namespace braid::control {

// One term, for one image.
struct TermWork {
  GroupSet groups;
  std::array<double, kMaxGroups> macs{};  // of computing one group's part of every layer and head
  int exchanges = 0;                      // layers whose maps cross between devices
  std::array<double, kMaxGroups> exchange_bytes{};  // one group's maps, over all exchanges
};

struct PointWork {
  GroupSet groups;  // of all terms
  std::vector<TermWork> terms;
  double macs = 0;  // of all terms: the point's mean
};

// The layers give the proportions between groups, the point's `macs_mean` the total (exits and
// gates make it smaller than the layers' sum). `point` indexes network.points; `network` must have
// passed model::Validate.
PointWork MeasurePoint(const model::Network& network, int point);

}  // namespace braid::control
