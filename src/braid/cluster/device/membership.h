// Connections and peers: dialing again and again, hello, which of two connections stays, pings,
// suspicion. Layer: cluster/device. Used on the loop only. Rules: docs/cluster.md, "Joining".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "braid/cluster/core/coordinator.h"
#include "braid/cluster/device.h"
#include "braid/cluster/device/liveness.h"
#include "braid/cluster/device/log_limiter.h"
#include "braid/cluster/link/transport.h"

namespace braid::cluster {

class Membership {
 public:
  // Told of every change; may call back into const members and Shun().
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void PeerUp(const PeerInfo& peer) = 0;
    virtual void PeerDown(DeviceId peer) = 0;
    virtual void PeerSilent(DeviceId peer) = 0;
    virtual void PeerHeard(DeviceId peer) = 0;
    // `pinged`: when the ping was sent that `pong` answers.
    virtual void PeerMeasured(DeviceId peer, Duration round_trip, TimePoint pinged,
                              const Pong& pong) = 0;
    // What a pong of this device carries (echo is filled in by the caller).
    virtual Pong OwnLoad() = 0;
  };

  struct Peer {
    PeerInfo info;
    std::string name;
    bool up = false;            // connected, hello accepted
    ConnectionId connection{};  // where frames to it are sent
    bool dialed_by_smaller = false;
    TimePoint connected_at{};
    Liveness liveness;
  };

  // All arguments outlive this. `hello` is what this device says of itself.
  Membership(const DeviceOptions& options, const Hello& hello, int groups, Transport* transport,
             Listener* listener);

  // Dials every address of the options and starts to redial.
  void Start(TimePoint now);
  void OnConnected(ConnectionId connection, bool dialed, const std::string& address);
  void OnClosed(ConnectionId connection, const Status& reason);
  void OnDialFailed(const std::string& address, const Status& reason);
  void OnRefused(const std::string& address, const Status& reason);

  // Takes what is not of an attempt (hello, ping, pong, bye). Otherwise returns the peer that the
  // frame is from; nullopt also for connections that have not said who they are (closed then).
  std::optional<DeviceId> OnFrame(ConnectionId connection, const Frame& frame);

  // Pings, suspicion, redialing, connections that say nothing. Once a ping interval.
  void Tick();

  // Closes every connection; nobody is told.
  void Leave();

  // Closes a connection whose other side broke the rules.
  void Shun(ConnectionId connection, const std::string& reason);

  // The connected peer (suspected or not), or null.
  const Peer* FindUp(DeviceId peer) const;
  // Whether frames to and from the peer can be expected to arrive.
  bool Reachable(DeviceId peer) const;
  // Every peer that was up since the start, by id.
  const std::map<DeviceId, Peer>& peers() const { return peers_; }
  // When this process last found that it had not run for a while: now, if it has not yet run again
  // for long enough to find out.
  TimePoint stalled_until() const;

 private:
  struct Connection {
    bool dialed = false;
    std::string address;
    TimePoint opened{};
    std::optional<DeviceId> peer;       // set by its hello
    std::optional<TimePoint> close_at;  // superseded: still read, no longer written
  };
  struct Address {
    bool busy = false;  // dialing or connected
    TimePoint tried{};
    std::optional<DeviceId> peer;  // who answered there last
  };

  void OnHello(ConnectionId connection, Connection& state, const Frame& frame);
  void OnPong(const Peer& peer, const Frame& frame);
  void Adopt(ConnectionId connection, Connection& state, const Hello& hello, DeviceId id);
  void Refuse(ConnectionId connection, const std::string& who, const Status& reason);
  bool Stays(const Peer& current, bool dialed_by_smaller, TimePoint now) const;
  void Heard(DeviceId peer, TimePoint now);
  void LosePeer(DeviceId peer);
  void Redial(TimePoint now);
  // Whether it is longer since the last Tick than a process takes that runs.
  bool TickIsLate(TimePoint now) const;
  TimePoint Now() const { return transport_->clock().Now(); }

  const DeviceOptions& options_;
  const Hello& hello_;
  const int groups_;
  const DeviceId self_;
  Transport* transport_;
  Listener* listener_;
  LogLimiter log_;
  std::map<std::string, Address> addresses_;
  std::map<ConnectionId, Connection> connections_;
  std::map<DeviceId, Peer> peers_;
  TimePoint ticked_{};
  TimePoint stalled_until_{};
};

}  // namespace braid::cluster
