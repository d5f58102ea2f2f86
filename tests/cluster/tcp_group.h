// A group of devices in one process, each with its own loop thread, compute thread and sockets.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "braid/cluster/device.h"
#include "braid/cluster/link/tcp_transport.h"
#include "braid/control/rules.h"
#include "braid/model/file.h"

namespace braid::cluster::testing {

// A device and all that it needs. Destroyed as a process would end, but in order.
class TcpDevice {
 public:
  // `model` outlives this. Listens on a free loopback port where the options name no address.
  TcpDevice(const model::ModelFile& model, DeviceOptions options,
            const control::RuleOptions& rules = {});
  ~TcpDevice();

  const std::string& address() const { return address_; }
  Device& device() { return *device_; }
  std::future<Result<InferResult>> Submit(InferRequest request);
  std::vector<Device::PeerReport> Peers();
  // The lines logged so far.
  std::string Log() const;

 private:
  mutable std::mutex log_mutex_;
  std::string log_;  // guarded by log_mutex_
  std::unique_ptr<TcpTransport> transport_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<control::Controller> controller_;
  std::unique_ptr<Device> device_;
  std::string address_;
};

// Limits so long that a starved machine is never taken for a fault.
DeviceOptions PatientOptions(const std::string& name, GroupSet share);

// Waits (in real time, up to a minute) until `done`. False when it never was.
bool Eventually(const std::function<bool()>& done);

// Devices d0, d1, ... of the given shares, each dialing those before it; ready when all see all.
std::vector<std::unique_ptr<TcpDevice>> MakeGroup(const model::ModelFile& model,
                                                  const std::vector<GroupSet>& shares);

}  // namespace braid::cluster::testing
