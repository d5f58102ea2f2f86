// One device of `braid chaos` over its lives: a process with a folder of its own, and what can be
// done to both. Layer: cli.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/cli/device_process.h"

namespace braid::cli {

struct ChaosDeviceOptions {
  DeviceProcessOptions process;  // without model, log and doors' ports
  std::string folder;            // exists; everything of the device is below it
  std::string model_name;        // in its repository
  std::string clock_library;     // sets the device's wall clock; empty: its clock cannot jump
  bool small_disk = false;       // mount a small file system for what the device writes
};

class ChaosDevice {
 public:
  static Result<std::unique_ptr<ChaosDevice>> Create(ChaosDeviceOptions options);
  ~ChaosDevice();

  const std::string& name() const { return options_.process.name; }
  // Its addresses stay the same over its lives.
  const std::string& grpc() const { return options_.process.grpc; }
  const std::string& listen() const { return options_.process.listen; }

  // Makes `model` version `version`, the only one in the repository, and starts the process. It
  // must not run. Call it, as all below, from the thread that outlives the device.
  Status Start(const std::string& model, int version);
  // SIGTERM, and the wait for the end. INTERNAL when it ends with an error or not in time.
  Status Stop();
  void Kill();
  void Freeze();
  void Thaw();
  // False when the process has ended by itself; it is then gone, and Start may be called.
  bool Alive();

  // Moves the wall clock by `jump` from what it is without jumps. UNIMPLEMENTED without a library.
  Status JumpClock(Duration jump);
  // Lets nothing more be written where the device writes. With a small disk it is filled; without,
  // the process may make no file longer than the log is (RLIMIT_FSIZE).
  Status FillDisk();
  Status FreeDisk();
  // The address space may grow by so much more (RLIMIT_AS).
  Status LimitMemory(int64_t spare_bytes);
  Status FreeMemory();

  int64_t ResidentBytes() const;
  // Between faults: its output is taken, and its log cut when it is long, so that a long run needs
  // no more memory or disk than a short one.
  void Tidy();
  int64_t LogBytes() const;
  // The log from byte `from` on.
  std::string LogSince(int64_t from) const;

 private:
  explicit ChaosDevice(ChaosDeviceOptions options) : options_(std::move(options)) {}
  Status SetLimit(int resource, uint64_t bytes);

  ChaosDeviceOptions options_;
  std::string disk_;   // what the device writes lies here
  std::string log_;
  std::string clock_;  // the file with the wall clock's offset
  bool mounted_ = false;
  std::unique_ptr<DeviceProcess> process_;  // null: not running
};

}  // namespace braid::cli
