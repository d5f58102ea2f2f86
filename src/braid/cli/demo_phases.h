// The demo's story: two devices answer combined, side by side, one is killed in mid-stream and
// comes back. Layer: cli.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/cli/demo_setup.h"
#include "braid/cli/device_process.h"
#include "braid/cli/image_stream.h"

namespace braid::cli {

struct DemoOptions {
  Duration phase = std::chrono::seconds(2);  // the length of each
  int batch = 8;
  int in_flight = 4;  // requests
  std::string kernels = "best";
};

struct DemoPhase {
  std::string name;
  TimePoint begin{};
  TimePoint end{};
  std::vector<StreamAnswer> answers;
};

struct DemoDevice {
  std::string name;
  std::string share;
  std::string grpc;
  double startup_ms = 0;       // from exec to ready
  int64_t resident_bytes = 0;  // after the first phase
};

struct DemoStory {
  std::vector<DemoDevice> devices;
  std::vector<DemoPhase> phases;
  std::string killed;  // device
  // From the kill to the first answer that it took no part in.
  std::optional<double> first_answer_after_kill_ms;
  double restart_ms = 0;            // from exec to ready
  std::optional<double> rejoin_ms;  // from there to the first answer that it took part in
};

class Demo {
 public:
  // `setup` must outlive this. `say` gets a line for people at each step; may be empty.
  Demo(const DemoSetup& setup, const DemoOptions& options, std::function<void(std::string)> say);

  // Starts the devices, runs all phases. The devices stay up until this is destroyed.
  Result<DemoStory> Run();

  const std::vector<std::unique_ptr<DeviceProcess>>& devices() const { return devices_; }

 private:
  Status StartDevices();
  Result<std::unique_ptr<client::Client>> Connect(const std::vector<std::string>& endpoints) const;
  DeviceProcessOptions DeviceAt(size_t index) const;
  Status RunCombined();
  Status RunSideBySide();
  Status RunKill();

  const DemoSetup& setup_;
  const DemoOptions options_;
  const std::function<void(std::string)> say_;
  std::vector<GroupSet> shares_;
  std::vector<std::unique_ptr<DeviceProcess>> devices_;
  DemoStory story_;
};

}  // namespace braid::cli
