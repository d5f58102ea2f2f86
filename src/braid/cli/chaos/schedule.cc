#include "braid/cli/chaos/schedule.h"

#include <algorithm>
#include <string>
#include <utility>

namespace braid::cli {
namespace {

std::vector<int> Shuffled(int count, Rng* rng) {
  std::vector<int> order;
  for (int i = 0; i < count; ++i) order.push_back(i);
  for (int i = count - 1; i > 0; --i) {
    const auto other = static_cast<size_t>(rng->Below(static_cast<uint64_t>(i) + 1));
    std::swap(order[static_cast<size_t>(i)], order[other]);
  }
  return order;
}

double Draw(const Range& range, Rng* rng) {
  return range.least + (range.most - range.least) * rng->Uniform();
}

Duration DrawMs(const Range& range, Rng* rng) {
  return std::chrono::microseconds(static_cast<int64_t>(Draw(range, rng) * 1e3));
}

}  // namespace

Result<Schedule> Schedule::Make(const std::vector<Scenario>* scenarios, int devices,
                                uint64_t seed) {
  if (scenarios->empty()) return InvalidArgument("no scenarios");
  for (const Scenario& scenario : *scenarios) {
    const int touched = std::max(1, static_cast<int>(scenario.roles.size()));
    if (touched >= devices) {
      return InvalidArgument("scenario \"" + scenario.name + "\" has faults on " +
                             std::to_string(touched) + " devices, the group has " +
                             std::to_string(devices) + ": one must always be free of them");
    }
  }
  return Schedule(scenarios, devices, seed);
}

Round Schedule::Next() {
  if (left_.empty()) left_ = Shuffled(static_cast<int>(scenarios_->size()), &rng_);
  Round round;
  round.scenario = left_.back();
  left_.pop_back();
  const Scenario& scenario = (*scenarios_)[static_cast<size_t>(round.scenario)];
  const std::vector<int> devices = Shuffled(devices_, &rng_);  // by role
  for (const FaultSpec& spec : scenario.faults) {
    PlannedFault fault;
    fault.kind = spec.kind;
    fault.on = devices[static_cast<size_t>(spec.on)];
    fault.to = devices[static_cast<size_t>(spec.to)];
    fault.at = DrawMs(spec.at_ms, &rng_);
    fault.lasts = DrawMs(spec.for_ms, &rng_);
    fault.delay = DrawMs(spec.delay_ms, &rng_);
    fault.bits_per_second = static_cast<int64_t>(Draw(spec.rate_mbit, &rng_) * 1e6);
    fault.loss = Draw(spec.loss, &rng_);
    fault.jump = DrawMs({spec.jump_s.least * 1e3, spec.jump_s.most * 1e3}, &rng_);
    fault.spare_bytes = static_cast<int64_t>(Draw(spec.spare_mb, &rng_) * 1e6);
    round.faults.push_back(fault);
  }
  std::stable_sort(round.faults.begin(), round.faults.end(),
                   [](const PlannedFault& a, const PlannedFault& b) { return a.at < b.at; });
  return round;
}

}  // namespace braid::cli
