#include "braid/cli/chaos/scenario.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <utility>

#include "braid/base/file.h"
#include "braid/cli/child_process.h"
#include "braid/cli/report.h"

namespace braid::cli {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxFileBytes = 64 << 10;
constexpr size_t kMaxFaults = 16;
// A minute: a scenario is one of many in a run.
constexpr double kMaxMs = 60000;

struct KindName {
  FaultKind kind;
  std::string_view name;
};
constexpr std::array<KindName, 13> kKinds = {{
    {FaultKind::kKill, "kill"},
    {FaultKind::kFreeze, "freeze"},
    {FaultKind::kRestart, "restart"},
    {FaultKind::kSlowLink, "slow-link"},
    {FaultKind::kLossyLink, "lossy-link"},
    {FaultKind::kOneWayPartition, "one-way-partition"},
    {FaultKind::kPartition, "partition"},
    {FaultKind::kCutLink, "cut-link"},
    {FaultKind::kClockJump, "clock-jump"},
    {FaultKind::kFullDisk, "full-disk"},
    {FaultKind::kMemoryLimit, "memory-limit"},
    {FaultKind::kWrongModel, "wrong-model"},
    {FaultKind::kRollingUpgrade, "rolling-upgrade"},
}};

// A field that only some kinds have, and must have.
struct OwnField {
  const char* name;
  FaultKind kind;
  Range FaultSpec::*range;
  double least, most;
};
constexpr std::array<OwnField, 5> kOwnFields = {{
    {"delay_ms", FaultKind::kSlowLink, &FaultSpec::delay_ms, 0, 10000},
    {"rate_mbit", FaultKind::kSlowLink, &FaultSpec::rate_mbit, 0, 100000},
    {"loss", FaultKind::kLossyLink, &FaultSpec::loss, 0, 1},
    {"jump_s", FaultKind::kClockJump, &FaultSpec::jump_s, -1e9, 1e9},
    {"spare_mb", FaultKind::kMemoryLimit, &FaultSpec::spare_mb, 0, 100000},
}};

Status Bad(const std::string& field, const std::string& what) {
  return InvalidArgument(field + ": " + what);
}

Result<std::string> TextField(const Json& object, const std::string& key, const std::string& path) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return Bad(path + key, "must be a text");
  return found->get<std::string>();
}

// A number, or [least, most].
Result<Range> RangeField(const Json& value, const std::string& field, double least, double most) {
  Range range;
  if (value.is_number()) {
    range.least = range.most = value.get<double>();
  } else if (value.is_array() && value.size() == 2 && value[0].is_number() &&
             value[1].is_number()) {
    range = {value[0].get<double>(), value[1].get<double>()};
  } else {
    return Bad(field, "must be a number or [least, most]");
  }
  if (!(range.least >= least && range.most <= most)) {
    return Bad(field, "must be within " + Json(least).dump() + " and " + Json(most).dump());
  }
  if (range.least > range.most) return Bad(field, "the first number must not be the larger one");
  return range;
}

Result<int> RoleField(const Json& object, const std::string& key, const std::string& path,
                      Scenario* scenario) {
  BRAID_ASSIGN_OR_RETURN(const std::string role, TextField(object, key, path));
  if (role.empty() || role.size() > 32) return Bad(path + key, "must have 1 to 32 characters");
  const auto known = std::find(scenario->roles.begin(), scenario->roles.end(), role);
  if (known != scenario->roles.end()) return static_cast<int>(known - scenario->roles.begin());
  scenario->roles.push_back(role);
  return static_cast<int>(scenario->roles.size()) - 1;
}

Result<FaultSpec> ParseFault(const Json& object, const std::string& path, Scenario* scenario) {
  if (!object.is_object()) return InvalidArgument(path + " must be an object");
  const std::string dot = path + ".";
  BRAID_ASSIGN_OR_RETURN(const std::string name, TextField(object, "fault", dot));
  const std::optional<FaultKind> kind = FaultNamed(name);
  if (!kind) {
    std::string names;
    for (const KindName& known : kKinds) {
      names += (names.empty() ? "" : ", ") + std::string(known.name);
    }
    return Bad(dot + "fault", "\"" + name + "\" is none of " + names);
  }
  FaultSpec fault;
  fault.kind = *kind;
  std::set<std::string> known = {"fault"};
  if (*kind != FaultKind::kRollingUpgrade) {  // that is on every device
    known.insert({"on", "at_ms", "for_ms"});
    BRAID_ASSIGN_OR_RETURN(fault.on, RoleField(object, "on", dot, scenario));
    if (IsLinkFault(*kind)) {
      known.insert("to");
      BRAID_ASSIGN_OR_RETURN(fault.to, RoleField(object, "to", dot, scenario));
      if (fault.to == fault.on) return Bad(dot + "to", "must be another device than \"on\"");
    }
    if (object.contains("at_ms")) {
      BRAID_ASSIGN_OR_RETURN(fault.at_ms, RangeField(object["at_ms"], dot + "at_ms", 0, kMaxMs));
    }
    // A restart lasts as long as it takes.
    if (*kind == FaultKind::kRestart) {
      known.erase("for_ms");
    } else if (!object.contains("for_ms")) {
      return Bad(dot + "for_ms", "is missing");
    } else {
      BRAID_ASSIGN_OR_RETURN(fault.for_ms, RangeField(object["for_ms"], dot + "for_ms", 0, kMaxMs));
    }
    for (const OwnField& own : kOwnFields) {
      if (own.kind != *kind) continue;
      known.insert(own.name);
      if (!object.contains(own.name)) return Bad(dot + own.name, "is missing");
      BRAID_ASSIGN_OR_RETURN(fault.*own.range,
                             RangeField(object[own.name], dot + own.name, own.least, own.most));
    }
  }
  for (const auto& [key, value] : object.items()) {
    if (!known.contains(key)) return Bad(dot + key, "is no field of a " + name);
  }
  return fault;
}

Status CheckOverlaps(const Scenario& scenario) {
  for (size_t i = 0; i < scenario.faults.size(); ++i) {
    const FaultSpec& a = scenario.faults[i];
    if (a.kind == FaultKind::kRollingUpgrade && scenario.faults.size() > 1) {
      return Bad("faults[" + std::to_string(i) + "]", "a rolling-upgrade must be alone");
    }
    for (size_t j = 0; j < i; ++j) {
      const FaultSpec& b = scenario.faults[j];
      // A process can be killed or stopped once at a time, a link have one behaviour.
      const bool links = IsLinkFault(a.kind) && IsLinkFault(b.kind);
      const bool same_place = links ? std::minmax(a.on, a.to) == std::minmax(b.on, b.to)
                                    : IsLinkFault(a.kind) == IsLinkFault(b.kind) && a.on == b.on;
      const bool apart = a.at_ms.least > b.at_ms.most + b.for_ms.most ||
                         b.at_ms.least > a.at_ms.most + a.for_ms.most;
      const bool endless = a.kind == FaultKind::kRestart || b.kind == FaultKind::kRestart;
      if (same_place && (!apart || endless)) {
        return Bad("faults[" + std::to_string(i) + "]",
                   "may overlap faults[" + std::to_string(j) + "] on the same device or link");
      }
    }
  }
  return OkStatus();
}

bool EndsWithJson(const std::string& name) { return name.ends_with(".json"); }

}  // namespace

std::string_view FaultName(FaultKind kind) {
  for (const KindName& known : kKinds) {
    if (known.kind == kind) return known.name;
  }
  return "";
}

std::optional<FaultKind> FaultNamed(std::string_view name) {
  for (const KindName& known : kKinds) {
    if (known.name == name) return known.kind;
  }
  return std::nullopt;
}

bool IsLinkFault(FaultKind kind) {
  switch (kind) {
    case FaultKind::kSlowLink:
    case FaultKind::kLossyLink:
    case FaultKind::kOneWayPartition:
    case FaultKind::kPartition:
    case FaultKind::kCutLink:
      return true;
    case FaultKind::kKill:
    case FaultKind::kFreeze:
    case FaultKind::kRestart:
    case FaultKind::kClockJump:
    case FaultKind::kFullDisk:
    case FaultKind::kMemoryLimit:
    case FaultKind::kWrongModel:
    case FaultKind::kRollingUpgrade:
      return false;
  }
  return false;
}

Result<Scenario> ParseScenario(const std::string& text) {
  const Json document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return InvalidArgument("is not a JSON object");
  Scenario scenario;
  BRAID_ASSIGN_OR_RETURN(scenario.name, TextField(document, "name", ""));
  if (scenario.name.empty()) return Bad("name", "must not be empty");
  BRAID_ASSIGN_OR_RETURN(scenario.about, TextField(document, "about", ""));
  const auto faults = document.find("faults");
  if (faults == document.end() || !faults->is_array() || faults->empty() ||
      faults->size() > kMaxFaults) {
    return Bad("faults", "must be an array of 1 to " + std::to_string(kMaxFaults) + " faults");
  }
  for (size_t i = 0; i < faults->size(); ++i) {
    BRAID_ASSIGN_OR_RETURN(
        FaultSpec fault, ParseFault((*faults)[i], "faults[" + std::to_string(i) + "]", &scenario));
    scenario.faults.push_back(fault);
  }
  if (const auto goal = document.find("recovery_goal_ms"); goal != document.end()) {
    if (!goal->is_number() || !(goal->get<double>() > 0)) {
      return Bad("recovery_goal_ms", "must be a number above 0");
    }
    scenario.recovery_goal_ms = goal->get<double>();
  }
  for (const auto& [key, value] : document.items()) {
    if (key != "name" && key != "about" && key != "faults" && key != "recovery_goal_ms") {
      return Bad(key, "is no field of a scenario");
    }
  }
  BRAID_RETURN_IF_ERROR(CheckOverlaps(scenario));
  return scenario;
}

Result<Scenario> ReadScenario(const std::string& path) {
  BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadFile(path, kMaxFileBytes));
  Result<Scenario> scenario = ParseScenario(std::string(bytes.begin(), bytes.end()));
  if (!scenario.ok()) return scenario.status().WithContext(path);
  return scenario;
}

Result<std::vector<Scenario>> ReadScenarios(const std::vector<std::string>& names) {
  std::vector<std::string> paths;
  std::string looked_in;
  for (const std::string& folder : ScenarioFolders()) {
    looked_in += (looked_in.empty() ? "" : ", ") + folder;
  }
  std::error_code error;
  for (const std::string& name : names) {
    if (EndsWithJson(name)) {
      paths.push_back(name);
      continue;
    }
    bool found = false;
    for (const std::string& folder : ScenarioFolders()) {
      const std::string path = folder + "/" + name + ".json";
      if (found || !fs::exists(path, error)) continue;
      paths.push_back(path);
      found = true;
    }
    if (!found) return NotFound("no scenario \"" + name + "\" in " + looked_in);
  }
  for (const std::string& folder : ScenarioFolders()) {
    if (!paths.empty()) break;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (EndsWithJson(entry.path().string())) paths.push_back(entry.path().string());
    }
  }
  if (paths.empty()) return NotFound("no scenarios in " + looked_in);
  if (names.empty()) std::sort(paths.begin(), paths.end());
  std::vector<Scenario> scenarios;
  for (const std::string& path : paths) {
    BRAID_ASSIGN_OR_RETURN(Scenario scenario, ReadScenario(path));
    for (const Scenario& other : scenarios) {
      if (other.name == scenario.name) {
        return InvalidArgument(path + ": another scenario is called \"" + scenario.name + "\"");
      }
    }
    scenarios.push_back(std::move(scenario));
  }
  return scenarios;
}

std::vector<std::string> ScenarioFolders() {
  std::vector<std::string> folders;
  if (const char* given = std::getenv("BRAID_SCENARIOS"); given != nullptr && *given != '\0') {
    folders.emplace_back(given);
  }
  // build/PRESET/bin/braid of a source tree; PREFIX/bin/braid of an installation.
  if (const fs::path program = SelfPath(); !program.empty()) {
    const fs::path bin = program.parent_path();
    folders.push_back((bin / "../../../scenarios").lexically_normal().string());
    folders.push_back((bin / "../share/braid/scenarios").lexically_normal().string());
  }
  folders.emplace_back("scenarios");
  return folders;
}

}  // namespace braid::cli
