// Scenarios of `braid chaos`: what goes wrong, on how many devices, for how long. Each is a JSON
// file of scenarios/; docs/cluster.md, "Chaos", describes the form. Layer: cli.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "braid/base/status.h"

namespace braid::cli {

enum class FaultKind {
  kKill,             // SIGKILL; started again afterwards
  kFreeze,           // SIGSTOP; SIGCONT afterwards
  kRestart,          // SIGTERM, drained, started again at once
  kSlowLink,         // delay and rate, both ways
  kLossyLink,        // segments are lost and sent again
  kOneWayPartition,  // nothing from the first device reaches the second
  kPartition,        // nothing passes either way
  kCutLink,          // connections are reset, new ones too
  kClockJump,        // the wall clock of a device jumps; and back afterwards
  kFullDisk,         // nothing more can be written in the device's folder
  kMemoryLimit,      // the address space may hardly grow
  kWrongModel,       // started again with another version of the model; with the right one afterwards
  kRollingUpgrade,   // every device, one after another, is restarted with the next version
};

// The names that files and reports use: "kill", "slow-link", ...
std::string_view FaultName(FaultKind kind);
std::optional<FaultKind> FaultNamed(std::string_view name);
bool IsLinkFault(FaultKind kind);

// Both ends included; the seed chooses.
struct Range {
  double least = 0;
  double most = 0;
  bool operator==(const Range&) const = default;
};

struct FaultSpec {
  FaultKind kind = FaultKind::kKill;
  // Which devices: indices of the scenario's roles. Different roles are different devices.
  int on = 0;
  int to = 0;  // link faults: the other end
  Range at_ms;   // from the scenario's start
  Range for_ms;
  // Of some kinds only.
  Range delay_ms, rate_mbit;  // slow-link, one way; a rate of 0: unlimited
  Range loss;                 // lossy-link, fraction of segments
  Range jump_s;               // clock-jump; negative: back
  Range spare_mb;             // memory-limit: beyond what the process has
  bool operator==(const FaultSpec&) const = default;
};

struct Scenario {
  std::string name;
  std::string about;
  std::vector<std::string> roles;  // in order of first use
  std::vector<FaultSpec> faults;
  std::optional<double> recovery_goal_ms;  // for the 99th percentile; reported, never a failure
};

// INVALID_ARGUMENT names the field: `faults[0].for_ms: ...`. Unknown fields are errors.
Result<Scenario> ParseScenario(const std::string& text);
// The error names the file, too.
Result<Scenario> ReadScenario(const std::string& path);
// Files as they are; a bare name ("kill") is NAME.json of a folder of ScenarioFolders(). Without
// any: all of the first of these folders that there is, by name. Two of one name are an error.
Result<std::vector<Scenario>> ReadScenarios(const std::vector<std::string>& names);

// $BRAID_SCENARIOS, scenarios/ of the source tree or installation that this program lies in,
// ./scenarios.
std::vector<std::string> ScenarioFolders();

}  // namespace braid::cli
