// Doors that answer without a device: the measure of what the same libraries cost by themselves.
// For `braid bench serve`. Layer: serving.
#pragma once

#include <memory>
#include <string>

#include "braid/base/status.h"
#include "braid/serving/event_loop.h"

namespace braid::serving {

// Over REST and gRPC, on free ports of loopback: takes any inference request and answers one
// image's `logits` (of `classes` zeros) and `class`, of the size and form that a device's answer
// has. REST looks at nothing but the length of the JSON.
class EchoDoors {
 public:
  static Result<std::unique_ptr<EchoDoors>> Open(EventLoop* loop, int classes);
  virtual ~EchoDoors() = default;
  virtual std::string grpc_address() const = 0;
  virtual std::string rest_address() const = 0;
};

}  // namespace braid::serving
