// Scenario files of `braid chaos`. What is accepted must be harmless to draw a schedule from.
#include "braid/cli/chaos/scenario.h"

#include <string>

#include "braid/base/check.h"
#include "braid/cli/chaos/schedule.h"
#include "fuzz/targets.h"

namespace braid::fuzz {
namespace {

using cli::PlannedFault;

// A process can be killed or stopped once at a time, a link have one behaviour.
bool SamePlace(const PlannedFault& a, const PlannedFault& b) {
  if (cli::IsLinkFault(a.kind) != cli::IsLinkFault(b.kind)) return false;
  if (!cli::IsLinkFault(a.kind)) return a.on == b.on;
  return (a.on == b.on && a.to == b.to) || (a.on == b.to && a.to == b.on);
}

void Run(std::span<const uint8_t> input) {
  const std::string text(ToText(input));
  auto scenario = cli::ParseScenario(text);
  if (!scenario.ok()) {
    BRAID_CHECK(scenario.status().code() == StatusCode::kInvalidArgument);
    BRAID_CHECK(!scenario.status().message().empty());
    return;
  }
  const std::vector<cli::Scenario> scenarios = {std::move(scenario).value()};
  const int touched = std::max(1, static_cast<int>(scenarios[0].roles.size()));
  BRAID_CHECK(!cli::Schedule::Make(&scenarios, touched, 1).ok());  // nobody would be left alone
  auto schedule = cli::Schedule::Make(&scenarios, touched + 1, input.size());
  BRAID_CHECK(schedule.ok()) << schedule.status().ToString();
  for (int round = 0; round < 4; ++round) {
    const std::vector<PlannedFault> faults = schedule->Next().faults;
    BRAID_CHECK(faults.size() == scenarios[0].faults.size());
    for (size_t i = 0; i < faults.size(); ++i) {
      const PlannedFault& fault = faults[i];
      BRAID_CHECK(fault.on >= 0 && fault.on <= touched);
      BRAID_CHECK(fault.to >= 0 && fault.to <= touched);
      BRAID_CHECK(!cli::IsLinkFault(fault.kind) || fault.on != fault.to);
      BRAID_CHECK(fault.at >= Duration{} && fault.lasts >= Duration{});
      BRAID_CHECK(fault.delay >= Duration{} && fault.bits_per_second >= 0);
      BRAID_CHECK(fault.loss >= 0 && fault.loss <= 1 && fault.spare_bytes >= 0);
      for (size_t j = 0; j < i; ++j) {  // by their beginnings
        BRAID_CHECK(!SamePlace(faults[j], fault) || faults[j].at + faults[j].lasts <= fault.at)
            << "faults " << j << " and " << i << " of one place overlap";
      }
    }
  }
}

std::vector<Bytes> Seeds() {
  return {
      ToBytes(R"({"name": "kill", "about": "a", "recovery_goal_ms": 50,
                  "faults": [{"fault": "kill", "on": "x", "for_ms": [200, 600]}]})"),
      ToBytes(R"({"name": "links", "about": "a", "faults": [
                  {"fault": "slow-link", "on": "x", "to": "y", "for_ms": 50, "delay_ms": [1, 5],
                   "rate_mbit": 10},
                  {"fault": "partition", "on": "y", "to": "x", "at_ms": 60, "for_ms": 9},
                  {"fault": "lossy-link", "on": "y", "to": "z", "for_ms": 5, "loss": 0.5}]})"),
      ToBytes(R"({"name": "one", "about": "a", "faults": [
                  {"fault": "clock-jump", "on": "x", "for_ms": 5, "jump_s": [-3600, 3600]},
                  {"fault": "memory-limit", "on": "x", "at_ms": 9, "for_ms": 5, "spare_mb": 4},
                  {"fault": "restart", "on": "y"}]})"),
      ToBytes(R"({"name": "up", "about": "a", "faults": [{"fault": "rolling-upgrade"}]})"),
  };
}

}  // namespace

const Target kScenario = {"scenario", Run, Seeds};

}  // namespace braid::fuzz
