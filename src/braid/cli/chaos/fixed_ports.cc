#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include "braid/base/rng.h"
#include "braid/cli/chaos/chaos_run.h"

namespace braid::cli {
namespace {

constexpr int kFirstPort = 10240;  // below lie ports with names
constexpr int kMostTries = 1000;

bool IsFree(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  ::close(fd);
  return free;
}

}  // namespace

Result<std::vector<int>> PickPorts(int count, uint64_t seed) {
  int first_outgoing = 32768;  // Linux's default
  std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> first_outgoing;
  if (first_outgoing <= kFirstPort + count) first_outgoing = 65535;
  Rng rng(seed);
  std::vector<int> ports;
  for (int tries = 0; tries < kMostTries; ++tries) {
    const auto port = static_cast<int>(rng.Between(kFirstPort, first_outgoing - 1));
    if (!IsFree(port)) continue;
    bool known = false;
    for (const int other : ports) known = known || other == port;
    if (known) continue;
    ports.push_back(port);
    if (static_cast<int>(ports.size()) == count) return ports;
  }
  return Unavailable("no free ports below " + std::to_string(first_outgoing));
}

}  // namespace braid::cli
