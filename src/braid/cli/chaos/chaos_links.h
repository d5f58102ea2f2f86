// The network of the devices of `braid chaos`, and what can be done to its links. Layer: cli.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/cli/chaos/schedule.h"

namespace braid::cli {

class ChaosLinks {
 public:
  virtual ~ChaosLinks() = default;

  // What a device needs to live in this network.
  struct Place {
    std::string door;                  // the host of its front door
    std::string listen;                // the host on which it listens for peers
    std::vector<std::string> wrapper;  // a program that becomes the device, see DeviceProcessOptions
    std::vector<std::string> more;     // further arguments
  };
  // Devices are added in order, from 0 on.
  virtual Result<Place> Add(int device) = 0;
  // What `dialer` dials to reach `target`, an earlier device, which listens on `port`.
  virtual Result<std::string> Connect(int dialer, int target, int port) = 0;

  // `fault` must be of a link between connected devices. UNIMPLEMENTED: it cannot be made here.
  virtual Status Begin(const PlannedFault& fault) = 0;
  virtual Status End(const PlannedFault& fault) = 0;
};

// One emulated link for each pair, on loopback, without root.
std::unique_ptr<ChaosLinks> MakeEmulatedLinks();

// A network namespace for each device and a virtual cable for each pair and each door; devices talk
// TLS with a key that is made in `folder`. The calling thread moves into a namespace of its own, and
// so do threads and processes that it starts from then on. Everything goes with this program. An error
// says what stands in the way: it needs root, iproute2 and nsenter.
Result<std::unique_ptr<ChaosLinks>> MakeNamespaceLinks(const std::string& folder);

}  // namespace braid::cli
