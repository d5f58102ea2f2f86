// The rule-based controller: docs/cluster.md, "Which point". Layer: control.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "braid/control/controller.h"
#include "braid/control/placer.h"
#include "braid/control/work.h"
#include "braid/model/network.h"

namespace braid::control {

struct RuleOptions {
  // Points this close to the best accuracy (0.05 points: five images of 10,000, below what seeds
  // scatter) are taken for equal, and the one that answers soonest wins.
  double accuracy_slack = 0.0005;
  // Requests waiting or running per device (mean) above which devices work side by side, and below
  // which they combine again. Apart, so that the choice does not flip with every request: side by
  // side each request loads one device, not all.
  int pressure_on = 8;
  int pressure_off = 2;
  // Speed of a device while none is measured: one core of a small computer without vector units.
  double prior_macs_per_second = 3e8;
  // Links carry 100 Mbit/s: measured is the round trip only.
  double link_bytes_per_second = 12.5e6;
};

// Deterministic: the same calls in the same order give the same choices. Not thread-safe.
class RuleController final : public Controller {
 public:
  // `network` must have passed model::Validate and must outlive this.
  explicit RuleController(const model::Network* network, RuleOptions options = {});

  Result<Choice> Choose(const Constraints& constraints, std::span<const DeviceState> devices,
                        std::span<const std::pair<DeviceId, DeviceId>> broken_links) override;

  // Whether devices work side by side now.
  bool under_pressure() const { return pressed_; }

 private:
  struct Candidate {
    Choice choice;
    Duration idle{};  // the estimate with empty queues
  };

  void UpdatePressure(std::span<const DeviceState> devices);
  // `points` in order of falling accuracy.
  std::optional<Candidate> SideBySide(const Constraints& constraints, std::span<const int> points,
                                      const Placer& placer) const;
  Result<Choice> Best(const Constraints& constraints, std::span<const int> points,
                      const Placer& placer);
  // Why no point of `points` will do, other than for time.
  Status Refusal(const Constraints& constraints, std::span<const int> points,
                 const Placer& placer) const;
  Candidate Estimate(int point, Placement placement, int images, const Placer& placer) const;
  bool CostFits(const Constraints& constraints, int point) const;
  double Accuracy(int point) const;

  const model::Network* network_;
  RuleOptions options_;
  std::vector<PointWork> work_;   // [points]
  std::vector<int> by_accuracy_;  // falling; equal ones by rising cost
  double typical_macs_ = 0;       // of one queued request: the points' mean
  bool pressed_ = false;
  int time_refusals_ = 0;  // in a row
};

}  // namespace braid::control
