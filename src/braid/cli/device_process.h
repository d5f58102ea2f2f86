// `braid device` as a child of this program, up to its readiness. Layer: cli.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/cli/child_process.h"

namespace braid::cli {

struct DeviceProcessOptions {
  std::string program;  // path of `braid`; empty: this program
  std::string model;    // path
  std::string repository;  // instead of a model: a folder NAME/VERSION/model.braid
  std::string name;
  std::string group = "braid";
  std::string share = "all";
  std::string listen = "127.0.0.1:0";
  std::vector<std::string> peers;
  std::string grpc = "127.0.0.1:0";
  std::string rest = "none";
  std::string metrics = "none";
  std::string kernels = "best";
  int cpu = -1;
  std::vector<std::string> more;  // further arguments, as they are
  // A program that becomes the device, with its own arguments first: {"/usr/bin/env", "A=b"}.
  std::vector<std::string> wrapper;
  std::string error_path;  // its log is appended to this file; empty: our standard error
};

// Owns the process: it is killed when this goes.
class DeviceProcess {
 public:
  // Waits until the device says that it is ready. The error of a device that does not start is on
  // its standard error, which is ours.
  static Result<std::unique_ptr<DeviceProcess>> Start(const DeviceProcessOptions& options,
                                                      Duration timeout);

  const DeviceProcessOptions& options() const { return options_; }
  const std::string& grpc() const { return grpc_; }      // its front door
  const std::string& rest() const { return rest_; }      // empty without
  const std::string& metrics() const { return metrics_; }
  const std::string& listen() const { return listen_; }  // for peers
  Duration startup() const { return startup_; }          // from exec to ready
  pid_t pid() const { return child_->pid(); }
  int64_t ResidentBytes() const { return child_->ResidentBytes(); }
  void Signal(int signal) { child_->Signal(signal); }
  // Takes its events so far, so that it never waits for a reader.
  void DropEvents();
  // Its exit status as from waitpid.
  Result<int> Wait(Duration timeout) { return child_->Wait(timeout); }

 private:
  DeviceProcess(DeviceProcessOptions options, std::unique_ptr<ChildProcess> child)
      : options_(std::move(options)), child_(std::move(child)) {}

  DeviceProcessOptions options_;
  std::unique_ptr<ChildProcess> child_;
  std::string grpc_;
  std::string rest_;
  std::string metrics_;
  std::string listen_;
  Duration startup_{};
};

}  // namespace braid::cli
