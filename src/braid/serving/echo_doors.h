// Doors without a device behind them: the measure of what the same libraries cost by themselves, or
// with nothing but another runtime behind them. For `braid bench serve`. Layer: serving.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "braid/base/status.h"
#include "braid/serving/event_loop.h"

namespace braid::serving {

// One image's pixels (the request's binary tensor, as it came) to its logits: [classes], zeros at
// first. Called by one thread at a time.
using EchoAnswer = std::function<Status(std::string_view pixels, std::span<int32_t> logits)>;

// Over REST and gRPC, on free ports of loopback: takes any inference request and answers one
// image's `logits` and `class`, of the size and form that a device's answer has. REST looks at
// nothing but the length of the JSON.
class EchoDoors {
 public:
  // Without `answer` the logits are zeros and the pixels are not looked at.
  static Result<std::unique_ptr<EchoDoors>> Open(EventLoop* loop, int classes,
                                                 EchoAnswer answer = nullptr);
  virtual ~EchoDoors() = default;
  virtual std::string grpc_address() const = 0;
  virtual std::string rest_address() const = 0;
};

}  // namespace braid::serving
