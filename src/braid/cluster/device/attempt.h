// What the requester holds of one attempt: the partial sums that came in, and who is blamed for
// those that do not. Layer: cluster/device. Used on the loop only.
#pragma once

#include <optional>
#include <vector>

#include "braid/base/status.h"
#include "braid/cluster/core/coordinator.h"
#include "braid/model/network.h"

namespace braid::cluster {

class Attempt {
 public:
  // `placement` covers the point (CheckPlacement).
  // Unless it is done by `slow_at`, it may be that a participant stalls.
  Attempt(const model::Network& network, int point, control::Placement placement, int images,
          TimePoint started, TimePoint slow_at);

  int point() const { return point_; }
  int images() const { return images_; }
  TimePoint started() const { return started_; }
  TimePoint slow_at() const { return slow_at_; }
  const control::Placement& placement() const { return placement_; }
  bool Participates(DeviceId device) const;
  bool ShareTerm(DeviceId a, DeviceId b) const;
  // The groups whose partial sums `device` still owes for `term`; nullopt when it owes none.
  std::optional<GroupSet> Owed(DeviceId device, int term) const;

  bool Owes(DeviceId device) const;
  // Devices whose sums alone are missing of their term: nobody else keeps them waiting.
  std::vector<DeviceId> LastOfTheirTerms() const;

  // Adds what Owed() named: `sums` [images, classes] of the point's head.
  void Add(DeviceId device, int term, const std::vector<int32_t>& sums);
  bool complete() const { return owed_.empty(); }
  // [images, classes] once complete: bias and rescale per term, terms added.
  std::vector<int32_t> Finish();

  // A report that `culprit`'s map of `layer` does not come to `reporter`.
  struct Blame {
    DeviceId reporter{};
    DeviceId culprit{};
    model::LayerIndex layer = 0;
  };
  // True for the first report: the others are on their way, judge after a while.
  bool AddBlame(const Blame& blame);
  // One cut link stalls every participant, each waiting for another one a layer later; the
  // reports of the earliest layer name the cut.
  std::vector<Blame> EarliestBlames() const;

 private:
  const model::Network& network_;
  const int point_;
  const int images_;
  const TimePoint started_;
  const TimePoint slow_at_;
  const control::Placement placement_;
  control::Placement owed_;
  std::vector<std::vector<int32_t>> sums_;  // [terms][images * classes]
  std::vector<Blame> blames_;
};

// Index of the largest logit of each image, the first on a tie. `logits` [images, classes].
std::vector<int64_t> LargestOf(const std::vector<int32_t>& logits, int images);

}  // namespace braid::cluster
