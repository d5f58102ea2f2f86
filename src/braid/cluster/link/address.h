// "host:port" as people write it. Layer: cluster/link.
#pragma once

#include <cstdint>
#include <string>

#include "braid/base/status.h"

namespace braid::cluster {

struct HostPort {
  std::string host;  // name or number, without brackets; empty for "all interfaces"
  uint16_t port = 0;
};

// "127.0.0.1:80", "name:80", "[::1]:80", ":80". INVALID_ARGUMENT for anything else.
Result<HostPort> ParseAddress(const std::string& address);
std::string FormatAddress(const std::string& host, uint16_t port);

}  // namespace braid::cluster
