// Frames between devices, and the one event loop that a device lives in. Layer: cluster/link.
// Two implementations: TCP (TLS with a pre-shared key where one is given) and an in-memory twin
// for tests and simulation; one abstract test suite runs on both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/cluster/link/frame.h"

namespace braid::cluster {

enum class ConnectionId : uint64_t {};

// Bounds that every transport keeps, so that no peer can hold memory, sockets or a slot for free.
struct TransportLimits {
  size_t pending_bytes = 64u << 20;         // of one connection, accepted by Send and not yet taken
  int connections = 256;                    // in all states; further ones are refused
  Duration dial = std::chrono::seconds(2);  // until the other side's system has answered
  Duration first_frame = std::chrono::seconds(5);  // from there through TLS to the first frame
  Duration linger = std::chrono::seconds(1);       // for what is queued when Close is called
  // Until the other side's system has acknowledged what was sent. A network that falls silent
  // resets nothing: TCP alone would try for minutes, more and more seldom, while a new connection
  // would long get through. A process that is stopped keeps its connections while its system has
  // room for what comes.
  Duration acknowledged = std::chrono::seconds(2);
};

// Bytes on the wire since the transport began, with frames' headers and encryption.
struct TransportTraffic {
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
};

// Called on the loop only (one call at a time, whichever thread stands in for it), and never from
// inside a call of the transport but PostOrRun. Must not block.
class TransportHandler {
 public:
  virtual ~TransportHandler() = default;
  // Encrypted and authenticated where a key is used; kHello is the handler's first business.
  virtual void OnConnected(ConnectionId connection, bool dialed, const std::string& address) = 0;
  virtual void OnFrame(ConnectionId connection, Frame frame) = 0;
  // Exactly once for every OnConnected, and the last call for it. OK when the other side closed in
  // order, CANCELLED with its reason after Close(), otherwise what went wrong.
  virtual void OnClosed(ConnectionId connection, const Status& reason) = 0;
  // Every Dial ends in exactly one OnConnected or OnDialFailed.
  virtual void OnDialFailed(const std::string& address, const Status& reason) = 0;
  // Somebody at `address` tried to connect and was turned away before OnConnected: wrong key or
  // group, no TLS, too slow, too many. For logs; nothing needs to be done.
  virtual void OnRefused(const std::string& /*address*/, const Status& /*reason*/) {}
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Must be set before anything else; must outlive the transport, or be taken away with nullptr:
  // after that has returned no call to it is running or will come.
  virtual void SetHandler(TransportHandler* handler) = 0;
  // "host:port" ("[::1]:0" for IPv6); port 0 takes a free one. Returns the address bound.
  // INVALID_ARGUMENT (no address), FAILED_PRECONDITION (not loopback and no key), ALREADY_EXISTS
  // (taken), UNAVAILABLE (the system's reason).
  virtual Result<std::string> Listen(const std::string& address) = 0;

  // The following may be called from any thread; they never block. Calls of one thread take effect
  // in their order.
  virtual void Dial(const std::string& address) = 0;
  // Queues a frame. A peer that does not take its bytes is cut when its queue passes the limit
  // (OnClosed with RESOURCE_EXHAUSTED). Unknown connections are ignored.
  virtual void Send(ConnectionId connection, Frame frame) = 0;
  // Sends what is queued (within limits.linger), then closes in order. Nothing is received any
  // more. Sends no kBye of its own: send it before, where the other side should know the reason.
  virtual void Close(ConnectionId connection, const std::string& reason) = 0;
  // Runs `task` on the loop, soon or after `delay`. Tasks still waiting when the transport is
  // destroyed are dropped.
  virtual void Post(std::function<void()> task) = 0;
  virtual void PostAfter(Duration delay, std::function<void()> task) = 0;
  // As Post; where the loop has nothing to do, this thread may stand in for it, and `task` and what
  // comes of it have run on return. Not while holding a lock that tasks of the loop take.
  virtual void PostOrRun(std::function<void()> task) { Post(std::move(task)); }

  // Any thread. Zero where there is no wire.
  virtual TransportTraffic traffic() const { return {}; }

  // The clock that PostAfter follows.
  virtual const Clock& clock() const = 0;
};

}  // namespace braid::cluster
