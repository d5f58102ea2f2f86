// A chaos run: a group of device processes under a steady load, and one fault after another.
// Layer: cli. What is demanded and measured: docs/cluster.md, "Chaos".
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/cli/chaos/chaos_device.h"
#include "braid/cli/chaos/chaos_links.h"
#include "braid/cli/chaos/judge.h"
#include "braid/cli/chaos/scenario.h"
#include "braid/cli/chaos/schedule.h"
#include "braid/cli/chaos/steady_load.h"
#include "braid/data/dataset.h"
#include "braid/model/file.h"

namespace braid::cli {

struct ChaosOptions {
  std::vector<Scenario> scenarios;
  Duration length = std::chrono::minutes(5);
  uint64_t seed = 1;
  int devices = 3;
  SteadyLoadOptions load;
  std::string kernels = "best";
  bool namespaces = false;  // MakeNamespaceLinks, or emulated ones
};

// Two versions of a model for the same images: odd versions are the first, even ones the second.
struct ChaosModel {
  const model::ModelFile* file = nullptr;
  std::string path;
};

struct ChaosOutcome {
  JudgeTotals totals;
  int64_t sent = 0;
  int64_t lost = 0;  // requests of which the client never said what became of them
  std::map<std::string, int64_t> faults;         // how often
  std::map<std::string, std::string> skipped;    // faults that cannot be made here, and why
  // By scenario: from the end of its last fault until every door gets an answer from all devices.
  std::map<std::string, std::vector<double>> whole_again_ms;
  std::vector<std::string> violations;  // what else went wrong, by name of the device
  int64_t memory_deaths = 0;            // devices that ended when their memory was limited
  int versions = 1;                     // of the model, in the end
  int64_t resident_bytes_most = 0;      // of one device at any time
  std::vector<int64_t> resident_bytes;  // of each, in the end
  Duration longest_late{};              // of the load's sender
  double seconds = 0;
  std::string disk;  // how a disk is made full
};

class ChaosRun {
 public:
  // All must outlive this. `say` gets a line for people at each round.
  ChaosRun(const ChaosOptions& options, std::vector<ChaosModel> models,
           const data::Dataset& dataset, std::function<void(const std::string&)> say);
  ~ChaosRun();

  // Call it from a thread that outlives this. An error: the group could not even be started.
  Result<ChaosOutcome> Run();
  // Which channel groups each device carries.
  const std::vector<GroupSet>& shares() const { return shares_; }

 private:
  Status PrepareFolder();
  Status StartDevices();
  Status ConnectClients();
  void RunRound(const Round& round);
  Status Begin(const std::string& name, const PlannedFault& fault);
  Status End(const PlannedFault& fault);
  Status Upgrade(const std::string& name, int first);
  // Starts what ended by itself, and waits until all devices answer together at every door.
  void MakeWhole(const std::string& scenario, TimePoint healed);
  Status Start(ChaosDevice* device, int version);
  void Violation(const std::string& what);
  ChaosDevice& device(int index) { return *devices_[static_cast<size_t>(index)]; }

  const ChaosOptions& options_;
  const std::vector<ChaosModel> models_;
  const data::Dataset& dataset_;
  const std::function<void(const std::string&)> say_;
  std::vector<GroupSet> shares_;
  std::string folder_;  // of the run, removed with it
  bool small_disks_ = false;
  ChaosOutcome outcome_;
  int version_ = 1;
  bool broken_ = false;  // the group does not come together any more
  std::map<int, int64_t> log_before_;  // wrong-model: the device's log when it began

  std::unique_ptr<Judge> judge_;
  std::unique_ptr<ChaosLinks> links_;
  std::vector<std::unique_ptr<ChaosDevice>> devices_;
  std::unique_ptr<SteadyLoad> load_;
  std::unique_ptr<client::Client> client_;               // of the load, goes before it
  std::vector<std::unique_ptr<client::Client>> probes_;  // one a door
};

// What a fault of `kind` is called in reports: its name, after the scenario's where others accompany
// it.
std::string ReportName(const Scenario& scenario, FaultKind kind);

// The next version of `network`: the same but for the biases of its first layer, so that all of its
// maps and answers are its own.
model::Network NextVersion(model::Network network, uint64_t seed);

// That many loopback ports that are free now, outside of the range from which the system takes ports
// for outgoing connections: a device that is down does not lose its port to one of those.
Result<std::vector<int>> PickPorts(int count, uint64_t seed);

}  // namespace braid::cli
