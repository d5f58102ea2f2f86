// A device's gRPC front door: Open Inference Protocol, health, reflection. Layer: serving.
#pragma once

#include <memory>
#include <string>

#include "braid/base/status.h"
#include "braid/serving/access.h"
#include "braid/serving/catalog.h"
#include "braid/serving/tls_files.h"

namespace braid::serving {

struct GrpcDoorOptions {
  std::string address = "127.0.0.1:0";  // port 0: a free one
  // Without TLS and a token the door opens on loopback addresses only, unless told.
  bool allow_any_address = false;
  std::string version = "0";  // of the program, for ServerMetadata
  TlsFiles tls;               // empty: no TLS
  // Calls that one connection may have open; a client's library holds back further ones. This
  // bounds what can lie unread in a connection, where no deadline is seen.
  int max_streams = 256;
};

class GrpcDoor {
 public:
  // `catalog` and `access` must outlive the door. The door answers at once; health follows the
  // catalog. Errors: FAILED_PRECONDITION (an address beyond loopback), UNAVAILABLE (the address
  // cannot be bound), those of the TLS files.
  static Result<std::unique_ptr<GrpcDoor>> Open(Catalog* catalog, Access* access,
                                                const GrpcDoorOptions& options);
  // Drains without grace.
  virtual ~GrpcDoor() = default;

  // "host:port" with the port bound.
  virtual const std::string& address() const = 0;
  // Takes no new call and waits up to `grace` for those in flight; what is left then is cancelled.
  // Blocks. Before it, Catalog::Drain says NOT_SERVING.
  virtual void Drain(Duration grace) = 0;
};

}  // namespace braid::serving
