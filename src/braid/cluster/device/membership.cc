#include "braid/cluster/device/membership.h"

#include <algorithm>

#include "braid/cluster/device/handshake.h"

namespace braid::cluster {
namespace {

// A connection that has not said hello by then is closed: it would hold a place for ever.
constexpr Duration kHelloLimit = std::chrono::seconds(1);
// Two devices that dial each other at once both find two connections within this time and choose
// by rule. Later the newer one stays: its dialer must have lost the older one.
constexpr Duration kSimultaneous = std::chrono::seconds(2);
// A superseded connection is read for this long, so that nothing on its way is lost.
constexpr Duration kLinger = std::chrono::seconds(1);
// Names come from outside: a group has far fewer devices.
constexpr size_t kMaxPeers = 256;

// For the log's limiter: every connection of a stranger has a port of its own, and what it sent may
// stand at the end of the reason; neither shall make a line new.
std::string StrangerTopic(const std::string& address, const Status& reason) {
  constexpr size_t kOurWords = 40;
  return address.substr(0, address.rfind(':')) + " " + reason.message().substr(0, kOurWords);
}

}  // namespace

Membership::Membership(const DeviceOptions& options, const Hello& hello, int groups,
                       Transport* transport, Listener* listener)
    : options_(options),
      hello_(hello),
      groups_(groups),
      self_(DeviceIdOf(hello.device)),
      transport_(transport),
      listener_(listener),
      log_(options.log) {}

void Membership::Start(TimePoint now) {
  ticked_ = stalled_until_ = now;
  for (const std::string& address : options_.peers) addresses_[address];
  for (auto& [address, state] : addresses_) {
    state.busy = true;
    state.tried = now;
    transport_->Dial(address);
  }
}

void Membership::OnConnected(ConnectionId connection, bool dialed, const std::string& address) {
  connections_[connection] = {dialed, address, Now(), std::nullopt, std::nullopt};
  Frame frame;
  frame.kind = FrameKind::kHello;
  frame.payload = EncodeHello(hello_);
  transport_->Send(connection, std::move(frame));
}

void Membership::OnDialFailed(const std::string& address, const Status& reason) {
  if (const auto it = addresses_.find(address); it != addresses_.end()) it->second.busy = false;
  log_.Log("dial " + address, "cannot reach " + address + ": " + reason.ToString(), Now());
}

void Membership::OnRefused(const std::string& address, const Status& reason) {
  log_.Log("turned away " + StrangerTopic(address, reason),
           "turned away " + address + ": " + reason.ToString(), Now());
}

void Membership::OnClosed(ConnectionId connection, const Status& reason) {
  const auto it = connections_.find(connection);
  if (it == connections_.end()) return;
  const Connection state = it->second;
  connections_.erase(it);
  if (state.dialed) {
    if (const auto a = addresses_.find(state.address); a != addresses_.end()) {
      a->second.busy = false;
    }
  }
  if (!state.peer) {
    // Ended by what came before a hello. Our own closing has said why where it began.
    if (!reason.ok() && reason.code() != StatusCode::kCancelled) {
      log_.Log("cut " + StrangerTopic(state.address, reason),
               "cut " + state.address + ": " + reason.ToString(), Now());
    }
    return;
  }
  Peer& peer = peers_.at(*state.peer);
  if (!peer.up || peer.connection != connection) return;  // a superseded one
  // Another connection of the same life may still stand.
  for (auto& [other, candidate] : connections_) {
    if (candidate.peer != state.peer) continue;
    candidate.close_at.reset();
    peer.connection = other;
    return;
  }
  log_.Log("down " + peer.name, "lost '" + peer.name + "': " + reason.ToString(), Now());
  LosePeer(*state.peer);
}

std::optional<DeviceId> Membership::OnFrame(ConnectionId connection, const Frame& frame) {
  const auto it = connections_.find(connection);
  if (it == connections_.end()) return std::nullopt;
  if (frame.kind == FrameKind::kHello) {
    OnHello(connection, it->second, frame);
    return std::nullopt;
  }
  if (frame.kind == FrameKind::kBye) {
    log_.Log("bye " + it->second.address,
             it->second.address + " said good-bye: " + DecodeBye(frame.payload), Now());
    transport_->Close(connection, "the other side said good-bye");
    return std::nullopt;
  }
  if (!it->second.peer) {
    Shun(connection, "spoke before its hello");
    return std::nullopt;
  }
  const DeviceId id = *it->second.peer;
  Heard(id, Now());
  if (frame.kind == FrameKind::kPing) {
    if (frame.payload.size() != sizeof(uint64_t)) {
      Shun(connection, "ping: not 8 bytes");
      return std::nullopt;
    }
    Pong pong = listener_->OwnLoad();
    for (size_t i = 0; i < sizeof(uint64_t); ++i) {
      pong.echo |= uint64_t{frame.payload[i]} << (8 * i);
    }
    Frame answer;
    answer.kind = FrameKind::kPong;
    answer.payload = EncodePong(pong);
    transport_->Send(connection, std::move(answer));
    return std::nullopt;
  }
  if (frame.kind == FrameKind::kPong) {
    const auto pong = DecodePong(frame.payload);
    if (!pong.ok()) {
      Shun(connection, pong.status().ToString());
      return std::nullopt;
    }
    const auto result = peers_.at(id).liveness.OnPong(pong->echo, Now());
    if (result.recovered) listener_->PeerHeard(id);
    if (result.expected) listener_->PeerMeasured(id, result.round_trip, result.sent, *pong);
    return std::nullopt;
  }
  return id;
}

void Membership::OnHello(ConnectionId connection, Connection& state, const Frame& frame) {
  const auto hello = DecodeHello(frame.payload);
  const std::string where = state.address;
  if (!hello.ok()) return Shun(connection, hello.status().ToString());
  if (state.peer) return Shun(connection, "said hello twice");
  if (const Status judged = JudgeHello(hello_, *hello, groups_); !judged.ok()) {
    return Refuse(connection, where, judged);
  }
  const DeviceId id = DeviceIdOf(hello->device);
  const auto known = peers_.find(id);
  if (known == peers_.end() && peers_.size() >= kMaxPeers) {
    return Refuse(connection, where, ResourceExhausted("too many devices"));
  }
  if (known != peers_.end() && known->second.up &&
      known->second.info.incarnation != hello->incarnation) {
    // A restarted device's old connection is closed or silent; one that is heard is another
    // device of the same name. The newcomer asks again if its old life ended only just now.
    if (Now() - known->second.liveness.heard() < options_.silence_limit) {
      return Refuse(connection, where,
                    FailedPrecondition("the name '" + hello->device + "' is taken"));
    }
    const ConnectionId old = known->second.connection;
    LosePeer(id);
    transport_->Close(old, "superseded by a new life of '" + hello->device + "'");
  }
  Adopt(connection, state, *hello, id);
}

void Membership::Adopt(ConnectionId connection, Connection& state, const Hello& hello,
                       DeviceId id) {
  const TimePoint now = Now();
  state.peer = id;
  if (state.dialed) addresses_[state.address].peer = id;
  const bool dialed_by_smaller = state.dialed == (self_ < id);
  const auto known = peers_.find(id);
  if (known != peers_.end() && known->second.up) {
    Peer& peer = known->second;
    ConnectionId loser = connection;
    if (!Stays(peer, dialed_by_smaller, now)) {
      loser = peer.connection;
      peer.connection = connection;
      peer.dialed_by_smaller = dialed_by_smaller;
      peer.connected_at = now;
    }
    if (const auto it = connections_.find(loser); it != connections_.end()) {
      it->second.close_at = now + kLinger;
    }
    Heard(id, now);
    return;
  }
  Peer peer{.info = {id, hello.incarnation, hello.share,
                     static_cast<int>(std::min(hello.credit, 1u << 20))},
            .name = hello.device,
            .up = true,
            .connection = connection,
            .dialed_by_smaller = dialed_by_smaller,
            .connected_at = now,
            .liveness = Liveness({options_.ping_interval, options_.silence_limit}, now)};
  peers_.insert_or_assign(id, peer);
  log_.Log("up " + hello.device, "'" + hello.device + "' is here", now);
  listener_->PeerUp(peer.info);
}

bool Membership::Stays(const Peer& current, bool dialed_by_smaller, TimePoint now) const {
  if (now - current.connected_at > kSimultaneous) return false;
  return current.dialed_by_smaller && !dialed_by_smaller;
}

void Membership::Refuse(ConnectionId connection, const std::string& who, const Status& reason) {
  log_.Log("refused " + StrangerTopic(who, reason), "refused " + who + ": " + reason.message(),
           Now());
  Frame bye;
  bye.kind = FrameKind::kBye;
  bye.payload = EncodeBye(reason.message());
  transport_->Send(connection, std::move(bye));
  transport_->Close(connection, reason.message());
}

void Membership::Shun(ConnectionId connection, const std::string& reason) {
  const auto it = connections_.find(connection);
  if (it == connections_.end()) return;
  const std::string who =
      it->second.peer ? "'" + peers_.at(*it->second.peer).name + "'" : it->second.address;
  Refuse(connection, who, InvalidArgument(reason));
}

void Membership::Leave() {
  for (const auto& [id, connection] : connections_) transport_->Close(id, "leaving");
  connections_.clear();
}

void Membership::Heard(DeviceId peer, TimePoint now) {
  Peer& state = peers_.at(peer);
  if (state.up && state.liveness.OnHeard(now)) listener_->PeerHeard(peer);
}

void Membership::LosePeer(DeviceId peer) {
  Peer& state = peers_.at(peer);
  if (!state.up) return;
  state.up = false;
  // What still arrives from this life is nobody's.
  std::vector<ConnectionId> rest;
  for (auto& [id, connection] : connections_) {
    if (connection.peer == peer) rest.push_back(id);
  }
  for (const ConnectionId id : rest) {
    connections_.at(id).peer.reset();
    transport_->Close(id, "its device was lost");
  }
  listener_->PeerDown(peer);
}

void Membership::Tick() {
  const TimePoint now = Now();
  if (TickIsLate(now)) {
    stalled_until_ = now;
    for (auto& [id, peer] : peers_) peer.liveness.Forgive(now);
  }
  ticked_ = now;
  std::vector<DeviceId> silent;
  for (auto& [id, peer] : peers_) {
    if (!peer.up) continue;
    const Liveness::Due due = peer.liveness.Tick(now);
    if (due.suspect) silent.push_back(id);
    if (!due.ping) continue;
    Frame ping;
    ping.kind = FrameKind::kPing;
    for (size_t i = 0; i < sizeof(uint64_t); ++i) {
      ping.payload.push_back(static_cast<uint8_t>(*due.ping >> (8 * i)));
    }
    transport_->Send(peer.connection, std::move(ping));
  }
  for (const DeviceId id : silent) {
    const Peer& peer = peers_.at(id);
    log_.Log("silent " + peer.name, "'" + peer.name + "' is silent", now);
    listener_->PeerSilent(id);
  }
  std::vector<std::pair<ConnectionId, std::string>> stale;
  for (const auto& [id, connection] : connections_) {
    if (connection.close_at && now >= *connection.close_at) {
      stale.emplace_back(id, "superseded");
    } else if (!connection.peer && now - connection.opened > kHelloLimit) {
      stale.emplace_back(id, "no hello");
    }
  }
  for (const auto& [id, reason] : stale) transport_->Close(id, reason);
  Redial(now);
}

bool Membership::TickIsLate(TimePoint now) const {
  return now - ticked_ > options_.ping_interval + options_.silence_limit / 2;
}

TimePoint Membership::stalled_until() const {
  const TimePoint now = Now();
  return TickIsLate(now) ? now : stalled_until_;
}

void Membership::Redial(TimePoint now) {
  for (auto& [address, state] : addresses_) {
    if (state.busy || now - state.tried < options_.redial_interval) continue;
    if (state.peer && FindUp(*state.peer) != nullptr) continue;  // it dialed us
    state.busy = true;
    state.tried = now;
    transport_->Dial(address);
  }
}

const Membership::Peer* Membership::FindUp(DeviceId peer) const {
  const auto it = peers_.find(peer);
  return it == peers_.end() || !it->second.up ? nullptr : &it->second;
}

bool Membership::Reachable(DeviceId peer) const {
  const Peer* state = FindUp(peer);
  return state != nullptr && !state->liveness.suspected();
}

}  // namespace braid::cluster
