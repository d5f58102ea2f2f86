// A device of the group in this process, with everything that it stands on. Layer: cli.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "braid/base/status.h"
#include "braid/cluster/device.h"
#include "braid/cluster/link/tcp_transport.h"
#include "braid/control/rules.h"
#include "braid/model/file.h"

namespace braid::cli {

class DeviceHost {
 public:
  // An empty share becomes the whole network, an incarnation of 0 a random one. Listens and dials
  // as `options` say. `executor`: shared with others, or null for a thread of its own.
  static Result<std::unique_ptr<DeviceHost>> Start(model::ModelFile model,
                                                   cluster::DeviceOptions options,
                                                   std::optional<cluster::KeyRing> keys,
                                                   std::shared_ptr<cluster::Executor> executor =
                                                       nullptr);

  cluster::Device& device() { return *device_; }
  const model::ModelFile& model() const { return model_; }
  // Where peers may dial us; empty when nobody may.
  const std::string& address() const { return address_; }

 private:
  explicit DeviceHost(model::ModelFile model) : model_(std::move(model)) {}

  // In the order in which they are needed: destroyed from the last to the first.
  const model::ModelFile model_;
  std::unique_ptr<cluster::Transport> transport_;
  std::shared_ptr<cluster::Executor> executor_;
  std::unique_ptr<control::RuleController> controller_;
  std::unique_ptr<cluster::Device> device_;
  std::string address_;
};

// "0,1", "0-3", "0,2-3" or "all" as a set of the network's groups; INVALID_ARGUMENT otherwise.
Result<GroupSet> ParseShare(const std::string& text, int groups);

// "0,2,3"
std::string ShareText(GroupSet share);

}  // namespace braid::cli
