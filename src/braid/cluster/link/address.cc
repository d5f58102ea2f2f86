#include "braid/cluster/link/address.h"

#include <charconv>

namespace braid::cluster {

Result<HostPort> ParseAddress(const std::string& address) {
  const auto bad = [&address](const char* what) {
    return InvalidArgument("address '" + address + "': " + what);
  };
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return bad("has no port (host:port)");
  HostPort parsed;
  parsed.host = address.substr(0, colon);
  if (parsed.host.starts_with('[')) {
    if (!parsed.host.ends_with(']')) return bad("'[' without ']' before the port");
    parsed.host = parsed.host.substr(1, parsed.host.size() - 2);
    if (parsed.host.find(':') == std::string::npos) return bad("no IPv6 address in its brackets");
  } else if (parsed.host.find(':') != std::string::npos) {
    return bad("an IPv6 address stands in brackets ([::1]:port)");
  }
  const char* first = address.data() + colon + 1;
  const char* last = address.data() + address.size();
  const auto [end, error] = std::from_chars(first, last, parsed.port);
  if (error != std::errc() || end != last) return bad("port is not a number of 0..65535");
  return parsed;
}

std::string FormatAddress(const std::string& host, uint16_t port) {
  const bool bracket = host.find(':') != std::string::npos;
  return (bracket ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace braid::cluster
