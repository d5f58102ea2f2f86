// A device's gRPC front door: Open Inference Protocol, health, reflection. Layer: serving.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "braid/base/status.h"
#include "braid/cluster/device.h"
#include "braid/serving/readiness.h"

namespace braid::serving {

struct GrpcDoorOptions {
  std::string address = "127.0.0.1:0";  // port 0: a free one
  // The door has no TLS and no token, so it opens on loopback addresses only, unless told.
  bool allow_any_address = false;
  std::string version = "0";  // of the program, for ServerMetadata
  ReadinessOptions readiness;
  // Told of each change of readiness, on a thread of the door's. May be empty.
  std::function<void(bool ready, const Status& reason)> on_ready;
};

class GrpcDoor {
 public:
  // `device` must have been started and must outlive the door. The door answers at once, but is
  // not ready until a self-test has passed. Errors: FAILED_PRECONDITION (an address beyond
  // loopback), UNAVAILABLE (the address cannot be bound).
  static Result<std::unique_ptr<GrpcDoor>> Open(cluster::Device* device,
                                                const GrpcDoorOptions& options);
  // Drains without notice or grace.
  virtual ~GrpcDoor() = default;

  // "host:port" with the port bound.
  virtual const std::string& address() const = 0;
  virtual bool ready() const = 0;
  // Says NOT_SERVING, goes on serving for `notice` so that load balancers can look, then takes no
  // new call and waits up to `grace` for those in flight; what is left then is cancelled. Blocks.
  virtual void Drain(Duration notice, Duration grace) = 0;
};

// Whether "host:port" names this machine only.
bool IsLoopback(const std::string& address);

}  // namespace braid::serving
