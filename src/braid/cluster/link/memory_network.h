// A network in memory, pumped by hand in simulated time: the twin of TcpTransport for tests and
// simulation. Same seed, same calls: same run. Layer: cluster/link. Single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/rng.h"
#include "braid/cluster/link/transport.h"

namespace braid::cluster {

class MemoryTransport;

struct MemoryNetworkOptions {
  uint64_t seed = 1;
  Duration latency = std::chrono::microseconds(100);  // one way, where SetLatency says nothing
  Duration jitter = {};                               // up to this much more, drawn for each frame
  TransportLimits limits = {};
};

// What a direction of a link does with what is sent over it.
enum class LinkFault {
  kNone,
  // Vanishes, ends of connections too, and counts as not taken for good; new connections time out.
  kDrop,
  kHold,  // comes when the fault is over, in order, as TCP's retransmission would bring it
};

// Everything that happens is an event; events run in the order of (time, sequence of creation).
// Transports are named; a name also stands for the machine in the calls that make faults. The
// network must outlive its transports.
class MemoryNetwork {
 public:
  explicit MemoryNetwork(MemoryNetworkOptions options = {});
  ~MemoryNetwork();
  MemoryNetwork(const MemoryNetwork&) = delete;
  MemoryNetwork& operator=(const MemoryNetwork&) = delete;

  // Destroying the transport closes its connections in order. One transport a name at a time.
  std::unique_ptr<MemoryTransport> MakeTransport(const std::string& name);

  const Clock& clock() const { return clock_; }

  // Runs the next event, moving the clock to its time. False when there is none.
  bool Step();
  // Runs everything due until `time`, which it then is.
  void RunUntil(TimePoint time);
  void RunFor(Duration duration) { RunUntil(clock_.Now() + duration); }
  // Steps until `done` holds. False when nothing is left to run, or only things after `limit`.
  bool RunUntil(const std::function<bool()>& done, Duration limit);

  // ---- the link from one transport to another, one way ----
  void SetLatency(const std::string& from, const std::string& to, Duration latency);
  void SetFault(const std::string& from, const std::string& to, LinkFault fault);
  // Both ways.
  void SetFaultBetween(const std::string& a, const std::string& b, LinkFault fault);
  // Closes the connections between them, as a reset does; new ones can be made at once.
  void CutLink(const std::string& a, const std::string& b);
  // Flips a random bit of the next frame.
  void DamageNextFrame(const std::string& from, const std::string& to);

  // ---- a transport ----
  // SIGSTOP: nothing runs there until Thaw, then all that was due, in order. Its system still
  // takes connections and bytes.
  void Freeze(const std::string& name);
  void Thaw(const std::string& name);
  // SIGKILL: its connections end, its tasks and timers are gone, calls of it do nothing.
  void Kill(const std::string& name);
  // The same transport, as new: nobody listens, no connections; needs SetHandler and Listen.
  void Revive(const std::string& name);

 private:
  friend class MemoryTransport;
  struct Connection;
  struct Node;
  using Task = std::function<void()>;
  using Due = std::pair<TimePoint, uint64_t>;
  using Route = std::pair<std::string, std::string>;
  struct Event {
    std::string node;   // where it happens; empty: in the network, which never freezes
    uint64_t life = 0;  // of that node; an event for an earlier life is dropped
    Task task;
  };
  struct Link {
    Duration latency{};
    LinkFault fault = LinkFault::kNone;
    bool damage_next = false;
    std::vector<Task> held;
  };

  // ---- called by transports ----
  void Forget(MemoryTransport* transport);
  Result<std::string> Listen(MemoryTransport* transport, const std::string& address);
  void Dial(MemoryTransport* transport, const std::string& address);
  void Send(MemoryTransport* transport, ConnectionId id, const Frame& frame);
  void Close(MemoryTransport* transport, ConnectionId id, const std::string& reason);
  void PostAfter(MemoryTransport* transport, Duration delay, Task task);

  void Add(Duration delay, Task task);
  void AddAt(TimePoint at, const std::string& node, Task task);
  Node& NodeOf(const std::string& name);
  Link& LinkOf(const std::string& from, const std::string& to);
  void Connect(const std::string& dialer, uint64_t life, const std::string& address);
  void Deliver(const std::shared_ptr<Connection>& connection, int side,
               const std::vector<uint8_t>& bytes);
  // Ends `side` there and now: its handler hears `reason` as its next event.
  void EndSide(const std::shared_ptr<Connection>& connection, int side, const Status& reason);
  // ... and lets the other side know, behind everything that was sent.
  void EndFrom(const std::shared_ptr<Connection>& connection, int side, const Status& own,
               const Status& other);
  // Runs `task` at the other side of the link, not before what was sent from `side` earlier.
  void Carry(const std::shared_ptr<Connection>& connection, int side, Task task);
  void CloseAll(Node& node, const Status& other);

  MemoryNetworkOptions options_;
  ManualClock clock_;
  Rng rng_;
  uint64_t events_added_ = 0;
  uint64_t last_connection_ = 0;
  int last_port_ = 0;
  std::map<Due, Event> events_;
  std::map<std::string, Node> nodes_;
  std::map<Route, Link> links_;
  std::map<std::string, std::string> listeners_;  // address -> name
};

class MemoryTransport final : public Transport {
 public:
  ~MemoryTransport() override;

  void SetHandler(TransportHandler* handler) override { handler_ = handler; }
  // Any text with a port is an address here; "x:0" takes a free port.
  Result<std::string> Listen(const std::string& address) override;
  void Dial(const std::string& address) override;
  void Send(ConnectionId connection, Frame frame) override;
  void Close(ConnectionId connection, const std::string& reason) override;
  void Post(std::function<void()> task) override;
  void PostAfter(Duration delay, std::function<void()> task) override;
  const Clock& clock() const override { return network_->clock(); }

  const std::string& name() const { return name_; }

 private:
  friend class MemoryNetwork;
  MemoryTransport(MemoryNetwork* network, std::string name);

  MemoryNetwork* network_;
  std::string name_;
  TransportHandler* handler_ = nullptr;
};

}  // namespace braid::cluster
