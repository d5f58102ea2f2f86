// The models of a process: a device of the group for each version, all computing on one thread.
// Layer: cli.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/cli/device_host.h"
#include "braid/cli/front_doors.h"

namespace braid::cli {

struct HostedModelOptions {
  // Either one file, served under the network's name as version 1, or a repository.
  std::string model;
  std::string repository;
  std::string share = "all";
  // `listen` and `peers` are those of the first model; see PortAfter.
  cluster::DeviceOptions device;
  std::string key_file, previous_key_file;
};

struct HostedModel {
  std::string name;
  std::string version;
  std::shared_ptr<DeviceHost> host;
};

// Starts a device for each version and puts it into the doors' catalog. A version of a repository
// that cannot be loaded is shown as such in the catalog and logged, the others are served; an error
// when none can.
Result<std::vector<HostedModel>> HostModels(const HostedModelOptions& options, FrontDoors* doors);

// Each version is a group of its own on the wire, since its maps mean nothing to another. The n-th
// of a repository (by name, then number) listens n ports after the first and dials its peers there,
// so devices of a group need repositories of equal content. Port 0 stays 0.
Result<std::string> PortAfter(const std::string& address, int n);

}  // namespace braid::cli
