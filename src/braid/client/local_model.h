// What a client asks when no endpoint answers: a network in its own process. Layer: client.
// An interface, so that a client that has none links no runtime; `braid infer` brings one.
#pragma once

#include <functional>

#include "braid/base/status.h"

namespace braid::client {

struct InferRequest;
struct InferReply;

class LocalModel {
 public:
  virtual ~LocalModel() = default;
  // `request.deadline` is the time left. `done` is called once, on any thread, before this returns
  // or later, soon after the deadline at the latest. Errors: those of a device.
  virtual void Run(InferRequest request, std::function<void(Result<InferReply>)> done) = 0;
};

}  // namespace braid::client
