// Which faults when: the same seed gives the same sequence of scenarios, devices and lengths.
// Layer: cli. Pure: nothing is started, no clock is read.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/rng.h"
#include "braid/base/status.h"
#include "braid/cli/chaos/scenario.h"

namespace braid::cli {

struct PlannedFault {
  FaultKind kind = FaultKind::kKill;
  int on = 0;  // device
  int to = 0;  // link faults: the other device
  Duration at{};     // from the round's start
  Duration lasts{};
  Duration delay{};                // slow-link
  int64_t bits_per_second = 0;     // slow-link
  double loss = 0;                 // lossy-link
  Duration jump{};                 // clock-jump
  int64_t spare_bytes = 0;         // memory-limit
  bool operator==(const PlannedFault&) const = default;
};

// One scenario with its chances drawn. At least one device has no part in any of its faults, but
// for a rolling upgrade, which is on one device at a time.
struct Round {
  int scenario = 0;
  std::vector<PlannedFault> faults;  // by `at`
};

class Schedule {
 public:
  // INVALID_ARGUMENT when a scenario has faults on as many devices as there are.
  // `scenarios` must outlive this.
  static Result<Schedule> Make(const std::vector<Scenario>* scenarios, int devices, uint64_t seed);

  // Endless: every scenario once, in an order drawn anew, then all again.
  Round Next();

 private:
  Schedule(const std::vector<Scenario>* scenarios, int devices, uint64_t seed)
      : scenarios_(scenarios), devices_(devices), rng_(seed) {}

  const std::vector<Scenario>* scenarios_;
  int devices_;
  Rng rng_;
  std::vector<int> left_;  // of this turn, the next one last
};

}  // namespace braid::cli
