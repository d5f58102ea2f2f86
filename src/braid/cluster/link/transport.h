// Frames between devices, and the one event loop that a device lives in. Layer: cluster/link.
// Two implementations: TCP (TLS with a pre-shared key where one is given) and an in-memory twin
// for tests and simulation; one abstract test suite runs on both.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/cluster/link/frame.h"

namespace braid::cluster {

enum class ConnectionId : uint64_t {};

// Called on the loop only, never concurrently. Must not block.
class TransportHandler {
 public:
  virtual ~TransportHandler() = default;
  // Encrypted and authenticated where a key is used; kHello is the handler's first business.
  virtual void OnConnected(ConnectionId connection, bool dialed, const std::string& address) = 0;
  virtual void OnFrame(ConnectionId connection, Frame frame) = 0;
  // Also after Close(). OK when the other side closed in order.
  virtual void OnClosed(ConnectionId connection, const Status& reason) = 0;
  virtual void OnDialFailed(const std::string& address, const Status& reason) = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Must be set before anything else.
  virtual void SetHandler(TransportHandler* handler) = 0;
  // "host:port"; port 0 takes a free one. Returns the address bound. FAILED_PRECONDITION for a
  // non-loopback address without a key.
  virtual Result<std::string> Listen(const std::string& address) = 0;

  // The following may be called from any thread; they never block.
  virtual void Dial(const std::string& address) = 0;
  // Queues a frame. A peer that does not take its bytes is cut when its queue passes the limit
  // (OnClosed with RESOURCE_EXHAUSTED). Unknown connections are ignored.
  virtual void Send(ConnectionId connection, Frame frame) = 0;
  virtual void Close(ConnectionId connection, const std::string& reason) = 0;
  // Runs `task` on the loop, soon or after `delay`. Tasks still waiting when the transport is
  // destroyed are dropped.
  virtual void Post(std::function<void()> task) = 0;
  virtual void PostAfter(Duration delay, std::function<void()> task) = 0;

  // The clock that PostAfter follows.
  virtual const Clock& clock() const = 0;
};

}  // namespace braid::cluster
