#include "braid/cluster/link/memory_network.h"

#include <algorithm>
#include <array>
#include <utility>

#include "braid/cluster/link/address.h"

namespace braid::cluster {

// Two ends; side 0 dialed, side 1 accepted. Shared by the nodes and by the events under way.
struct MemoryNetwork::Connection {
  struct Side {
    std::string node;
    ConnectionId id{};
    std::string address;  // for OnConnected
    bool open = true;     // has not ended
    bool heard = false;   // a whole frame has come
    FrameDecoder decoder;
    size_t pending_bytes = 0;  // sent by this side, not yet taken by the other
    TimePoint last_arrival{};  // of what this side sent: a stream keeps its order
    TimePoint connected{};     // when the handler hears of the connection
  };
  std::array<Side, 2> sides;
};

struct MemoryNetwork::Node {
  MemoryTransport* transport = nullptr;  // null: destroyed
  uint64_t life = 1;                     // counted up by Kill, so that old events are dropped
  bool alive = false;
  bool frozen = false;
  std::vector<Event> waiting;  // due while frozen
  std::map<ConnectionId, std::pair<std::shared_ptr<Connection>, int>> connections;
};

MemoryNetwork::MemoryNetwork(MemoryNetworkOptions options)
    : options_(std::move(options)), rng_(options_.seed) {}

MemoryNetwork::~MemoryNetwork() {
  for (const auto& [name, node] : nodes_) {
    BRAID_CHECK(node.transport == nullptr) << "transport " << name << " outlives its network";
  }
}

std::unique_ptr<MemoryTransport> MemoryNetwork::MakeTransport(const std::string& name) {
  Node& node = nodes_[name];
  BRAID_CHECK(node.transport == nullptr) << "there is a transport " << name << " already";
  std::unique_ptr<MemoryTransport> transport(new MemoryTransport(this, name));
  node.transport = transport.get();
  node.alive = true;
  node.frozen = false;
  return transport;
}

// ---- events ----

void MemoryNetwork::Add(Duration delay, Task task) {
  AddAt(clock_.Now() + delay, "", std::move(task));
}

void MemoryNetwork::AddAt(TimePoint at, const std::string& node, Task task) {
  const uint64_t life = node.empty() ? 0 : NodeOf(node).life;
  events_.emplace(Due{std::max(at, clock_.Now()), events_added_++},
                  Event{node, life, std::move(task)});
}

bool MemoryNetwork::Step() {
  if (events_.empty()) return false;
  const auto first = events_.begin();
  clock_.Advance(first->first.first - clock_.Now());
  Event event = std::move(first->second);
  events_.erase(first);
  if (!event.node.empty()) {
    Node& node = NodeOf(event.node);
    if (event.life != node.life) return true;
    if (node.frozen) {
      node.waiting.push_back(std::move(event));
      return true;
    }
  }
  event.task();
  return true;
}

void MemoryNetwork::RunUntil(TimePoint time) {
  while (!events_.empty() && events_.begin()->first.first <= time) Step();
  if (time > clock_.Now()) clock_.Advance(time - clock_.Now());
}

bool MemoryNetwork::RunUntil(const std::function<bool()>& done, Duration limit) {
  const TimePoint end = clock_.Now() + limit;
  while (!done()) {
    if (events_.empty() || events_.begin()->first.first > end) return false;
    Step();
  }
  return true;
}

MemoryNetwork::Node& MemoryNetwork::NodeOf(const std::string& name) {
  const auto found = nodes_.find(name);
  BRAID_CHECK(found != nodes_.end()) << "no transport " << name;
  return found->second;
}

MemoryNetwork::Link& MemoryNetwork::LinkOf(const std::string& from, const std::string& to) {
  return links_.try_emplace(Route{from, to}, Link{options_.latency, LinkFault::kNone, false, {}})
      .first->second;
}

// ---- faults ----

void MemoryNetwork::SetLatency(const std::string& from, const std::string& to, Duration latency) {
  LinkOf(from, to).latency = latency;
}

void MemoryNetwork::SetFault(const std::string& from, const std::string& to, LinkFault fault) {
  Link& link = LinkOf(from, to);
  link.fault = fault;
  if (fault == LinkFault::kHold) return;
  const std::vector<Task> held = std::exchange(link.held, {});
  if (fault == LinkFault::kDrop) return;
  for (const Task& task : held) task();  // each sets out now
}

void MemoryNetwork::SetFaultBetween(const std::string& a, const std::string& b, LinkFault fault) {
  SetFault(a, b, fault);
  SetFault(b, a, fault);
}

void MemoryNetwork::CutLink(const std::string& a, const std::string& b) {
  const Status reason = Unavailable("connection lost: the link was cut");
  const auto connections = NodeOf(a).connections;  // a copy: ending one removes it
  for (const auto& [id, end] : connections) {
    const auto& [connection, side] = end;
    if (connection->sides[static_cast<size_t>(1 - side)].node != b) continue;
    EndSide(connection, 0, reason);
    EndSide(connection, 1, reason);
  }
}

void MemoryNetwork::DamageNextFrame(const std::string& from, const std::string& to) {
  LinkOf(from, to).damage_next = true;
}

void MemoryNetwork::Freeze(const std::string& name) { NodeOf(name).frozen = true; }

void MemoryNetwork::Thaw(const std::string& name) {
  Node& node = NodeOf(name);
  node.frozen = false;
  for (Event& event : std::exchange(node.waiting, {})) {
    events_.emplace(Due{clock_.Now(), events_added_++}, std::move(event));
  }
}

void MemoryNetwork::Kill(const std::string& name) {
  Node& node = NodeOf(name);
  CloseAll(node, Unavailable("connection lost: the other side is gone"));
  node.alive = false;
  node.frozen = false;
}

void MemoryNetwork::Revive(const std::string& name) {
  Node& node = NodeOf(name);
  BRAID_CHECK(!node.alive && node.transport != nullptr) << name << " was not killed";
  node.alive = true;
  node.transport->handler_ = nullptr;
}

void MemoryNetwork::Forget(MemoryTransport* transport) {
  Node& node = NodeOf(transport->name_);
  CloseAll(node, OkStatus());
  node.alive = false;
  node.frozen = false;
  node.transport = nullptr;
}

// The end of a life; the peers hear of it.
void MemoryNetwork::CloseAll(Node& node, const Status& other) {
  const auto connections = node.connections;
  for (const auto& [id, end] : connections) {
    EndFrom(end.first, end.second, OkStatus(), other);
  }
  ++node.life;
  // What was to happen there will not, the reports of its own ends neither.
  const std::string& name = node.transport->name_;
  std::erase_if(events_, [&name](const auto& entry) { return entry.second.node == name; });
  node.waiting.clear();
  std::erase_if(listeners_, [&name](const auto& entry) { return entry.second == name; });
}

// ---- connections ----

Result<std::string> MemoryNetwork::Listen(MemoryTransport* transport, const std::string& address) {
  BRAID_ASSIGN_OR_RETURN(HostPort wanted, ParseAddress(address));
  if (!NodeOf(transport->name_).alive) return Unavailable(transport->name_ + " was killed");
  while (wanted.port == 0 || (address.ends_with(":0") &&
                              listeners_.contains(FormatAddress(wanted.host, wanted.port)))) {
    wanted.port = static_cast<uint16_t>(1 + last_port_++ % 65535);
  }
  const std::string bound = FormatAddress(wanted.host, wanted.port);
  if (!listeners_.emplace(bound, transport->name_).second) {
    return Status(StatusCode::kAlreadyExists, "address '" + bound + "': cannot listen: taken");
  }
  return bound;
}

void MemoryNetwork::Dial(MemoryTransport* transport, const std::string& address) {
  const std::string& dialer = transport->name_;
  const Node& node = NodeOf(dialer);
  if (!node.alive) return;
  // Whether and where somebody listens is looked up when the call arrives.
  const auto listener = listeners_.find(address);
  const Duration latency =
      listener == listeners_.end() ? options_.latency : LinkOf(dialer, listener->second).latency;
  Add(latency, [this, dialer, life = node.life, address] { Connect(dialer, life, address); });
}

void MemoryNetwork::Connect(const std::string& dialer, uint64_t life, const std::string& address) {
  Node& from = NodeOf(dialer);
  if (from.life != life) return;
  const auto fail = [this, &dialer, &address](Duration after, const Status& status) {
    AddAt(clock_.Now() + after, dialer, [this, dialer, address, status] {
      TransportHandler* handler = NodeOf(dialer).transport->handler_;
      if (handler != nullptr) handler->OnDialFailed(address, status);
    });
  };
  const std::string where = "address '" + address + "': ";
  const auto listener = listeners_.find(address);
  if (listener == listeners_.end()) {
    return fail(options_.latency, Unavailable(where + "cannot connect: connection refused"));
  }
  const std::string& name = listener->second;
  Node& to = NodeOf(name);
  Link& back = LinkOf(name, dialer);
  if (LinkOf(dialer, name).fault != LinkFault::kNone || back.fault != LinkFault::kNone) {
    return fail(options_.limits.dial, DeadlineExceeded(where + "no answer"));
  }
  const auto most = static_cast<size_t>(options_.limits.connections);
  if (from.connections.size() >= most || to.connections.size() >= most) {
    return fail(back.latency, ResourceExhausted(where + "the limit of connections is reached"));
  }

  const auto connection = std::make_shared<Connection>();
  connection->sides[0].node = dialer;
  connection->sides[0].address = address;
  connection->sides[1].node = name;
  connection->sides[1].address = dialer;
  for (int side = 0; side < 2; ++side) {
    Connection::Side& end = connection->sides[static_cast<size_t>(side)];
    end.id = ConnectionId{++last_connection_};
    Node& node = side == 0 ? from : to;
    node.connections[end.id] = {connection, side};
    // The listener's side is there now, the dialer hears one way later.
    const TimePoint at = clock_.Now() + (side == 0 ? back.latency : Duration{0});
    end.connected = at;
    AddAt(at, end.node, [this, connection, side] {
      const Connection::Side& here = connection->sides[static_cast<size_t>(side)];
      TransportHandler* handler = NodeOf(here.node).transport->handler_;
      if (handler != nullptr) handler->OnConnected(here.id, side == 0, here.address);
    });
    // Nothing overtakes the news of the connection.
    connection->sides[static_cast<size_t>(1 - side)].last_arrival = at;
    AddAt(at + options_.limits.first_frame, end.node, [this, connection, side] {
      if (connection->sides[static_cast<size_t>(side)].heard) return;
      EndFrom(connection, side, DeadlineExceeded("no frame within the limit"), OkStatus());
    });
  }
}

void MemoryNetwork::Carry(const std::shared_ptr<Connection>& connection, int side, Task task) {
  Connection::Side& from = connection->sides[static_cast<size_t>(side)];
  const std::string& to = connection->sides[static_cast<size_t>(1 - side)].node;
  Link& link = LinkOf(from.node, to);
  if (link.fault == LinkFault::kDrop) return;
  const Task set_out = [this, connection, side, to, task = std::move(task)] {
    Connection::Side& sender = connection->sides[static_cast<size_t>(side)];
    Duration travel = LinkOf(sender.node, to).latency;
    if (options_.jitter > Duration{0}) {
      travel += Duration(static_cast<Duration::rep>(
          rng_.Below(static_cast<uint64_t>(options_.jitter.count()) + 1)));
    }
    sender.last_arrival = std::max(sender.last_arrival, clock_.Now() + travel);
    AddAt(sender.last_arrival, to, task);
  };
  if (link.fault == LinkFault::kHold) {
    link.held.push_back(set_out);
  } else {
    set_out();
  }
}

void MemoryNetwork::Send(MemoryTransport* transport, ConnectionId id, const Frame& frame) {
  Node& node = NodeOf(transport->name_);
  const auto found = node.connections.find(id);
  if (found == node.connections.end()) return;
  const auto [connection, side] = found->second;
  Connection::Side& end = connection->sides[static_cast<size_t>(side)];
  const std::string& to = connection->sides[static_cast<size_t>(1 - side)].node;
  std::vector<uint8_t> bytes = EncodeFrame(frame);
  if (std::exchange(LinkOf(end.node, to).damage_next, false)) {
    const uint64_t bit = rng_.Below(bytes.size() * 8);
    bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ (1u << (bit % 8)));
  }
  end.pending_bytes += bytes.size();
  if (end.pending_bytes > options_.limits.pending_bytes) {
    return EndFrom(connection, side, ResourceExhausted("the other side does not take its bytes"),
                   Unavailable("connection lost: reset by the other side"));
  }
  Carry(connection, side, [this, connection = connection, side = side, bytes = std::move(bytes)] {
    Deliver(connection, 1 - side, bytes);
  });
}

void MemoryNetwork::Deliver(const std::shared_ptr<Connection>& connection, int side,
                            const std::vector<uint8_t>& bytes) {
  Connection::Side& end = connection->sides[static_cast<size_t>(side)];
  connection->sides[static_cast<size_t>(1 - side)].pending_bytes -= bytes.size();
  if (!end.open) return;
  // In two pieces, cut anywhere, as a socket may give them.
  std::vector<Frame> frames;
  const std::span<const uint8_t> whole(bytes);
  const size_t cut = rng_.Below(bytes.size() + 1);
  Status status = end.decoder.Feed(whole.first(cut), &frames);
  if (status.ok()) status = end.decoder.Feed(whole.subspan(cut), &frames);
  end.heard |= !frames.empty();
  const uint64_t life = NodeOf(end.node).life;
  for (Frame& frame : frames) {
    // The handler may close the connection, or a test kill the node.
    if (!end.open || NodeOf(end.node).life != life) return;
    TransportHandler* handler = NodeOf(end.node).transport->handler_;
    if (handler != nullptr) handler->OnFrame(end.id, std::move(frame));
  }
  if (!status.ok()) {
    EndFrom(connection, side, status, Unavailable("connection lost: reset by the other side"));
  }
}

void MemoryNetwork::Close(MemoryTransport* transport, ConnectionId id, const std::string& reason) {
  const Node& node = NodeOf(transport->name_);
  const auto found = node.connections.find(id);
  if (found == node.connections.end()) return;
  const auto [connection, side] = found->second;
  EndFrom(connection, side, Status(StatusCode::kCancelled, reason), OkStatus());
}

void MemoryNetwork::PostAfter(MemoryTransport* transport, Duration delay, Task task) {
  if (!NodeOf(transport->name_).alive) return;
  AddAt(clock_.Now() + delay, transport->name_, std::move(task));
}

void MemoryNetwork::EndFrom(const std::shared_ptr<Connection>& connection, int side,
                            const Status& own, const Status& other) {
  if (!connection->sides[static_cast<size_t>(side)].open) return;
  EndSide(connection, side, own);
  Carry(connection, side,
        [this, connection, side, other] { EndSide(connection, 1 - side, other); });
}

void MemoryNetwork::EndSide(const std::shared_ptr<Connection>& connection, int side,
                            const Status& reason) {
  Connection::Side& end = connection->sides[static_cast<size_t>(side)];
  if (!std::exchange(end.open, false)) return;
  NodeOf(end.node).connections.erase(end.id);
  AddAt(std::max(clock_.Now(), end.connected), end.node,
        [this, node = end.node, id = end.id, reason] {
          TransportHandler* handler = NodeOf(node).transport->handler_;
          if (handler != nullptr) handler->OnClosed(id, reason);
        });
}

}  // namespace braid::cluster
