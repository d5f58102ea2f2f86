// A device as a process of its own, for tests that kill, stop and cut off processes:
//   device_process NAME SHARE LISTEN INCARNATION SEED combined|added [PEER...]
// prints its address and runs until its input ends.
#include <cstdlib>
#include <iostream>
#include <string>

#include "braid/cluster/sim/braided_network.h"
#include "tcp_group.h"

int main(int argc, char** argv) {
  if (argc < 7) return 2;
  using namespace braid::cluster;  // NOLINT: a program
  const auto preferred =
      std::string(argv[6]) == "added" ? sim::Preferred::kAdded : sim::Preferred::kCombined;
  const auto model = sim::BraidedModel(std::strtoull(argv[5], nullptr, 10), preferred);
  DeviceOptions options;
  options.name = argv[1];
  options.share = braid::GroupSet(static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10)));
  options.listen = argv[3];
  options.incarnation = std::strtoull(argv[4], nullptr, 10);
  for (int i = 7; i < argc; ++i) options.peers.emplace_back(argv[i]);
  testing::TcpDevice device(model, options);
  std::cout << device.address() << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  return 0;
}
