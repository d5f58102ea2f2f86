// Where a door's certificate and key are. Layer: serving.
#pragma once

#include <string>

#include "braid/base/status.h"

namespace braid::serving {

struct TlsFiles {
  std::string certificate;  // PEM, the chain
  std::string key;          // PEM, of mode 0600
  bool empty() const { return certificate.empty() && key.empty(); }
};

// OK for files that a server could use, or for none; the error names the file.
Status CheckTlsFiles(const TlsFiles& tls);

// FAILED_PRECONDITION unless a door with these protections may open at `address`: beyond loopback
// only with TLS and a token, or when told so.
Status CheckExposure(const std::string& door, const std::string& address, const TlsFiles& tls,
                     bool has_token, bool allow_any_address);

// Whether "host:port" names this machine only.
bool IsLoopback(const std::string& address);

}  // namespace braid::serving
