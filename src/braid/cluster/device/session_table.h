// The attempts in which this device takes part, its own among them: opens their sessions, routes
// maps to them, finds the ones that wait in vain. Layer: cluster/device. Used on the loop only.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "braid/base/status.h"
#include "braid/cluster/device/early_maps.h"
#include "braid/cluster/device/membership.h"
#include "braid/cluster/device/session.h"
#include "braid/control/placement.h"
#include "braid/model/network.h"

namespace braid::cluster {

// A map that does not come: `culprit` should have sent the map of `layer`.
struct MissingMap {
  AttemptKey key;
  DeviceId culprit{};
  model::LayerIndex layer = 0;
};

class SessionTable {
 public:
  SessionTable(const model::Network& network, DeviceId self, const SessionContext& context,
               const EarlyMapsLimits& early_limits)
      : network_(network), self_(self), context_(context), early_(early_limits) {}

  struct Participation {
    AttemptKey key;
    DeviceId requester{};
    int point = 0;
    int images = 0;
    control::Placement placement;  // passed CheckPlacement
    TimePoint deadline{};
    std::shared_ptr<const std::vector<uint8_t>> pixels;
  };
  // How fast this device computes, as last measured: what is brief depends on it.
  void SelfMeasured(double macs_per_second) { macs_per_second_ = macs_per_second; }
  // Opens a session for each part of this device. A participant of one of its terms that is not
  // connected makes it NOT_FOUND and sets `absent`; then no session was opened.
  // The attempt must be unknown (Has, IsOver).
  Status Open(Participation participation, const Membership& membership, DeviceId* absent);
  bool Has(const AttemptKey& key) const { return entries_.contains(key); }
  bool IsOver(const AttemptKey& key) const { return early_.IsOver(key); }
  // Attempts of one requester that have sessions here.
  int CountOf(DeviceId requester) const;
  // Sessions that are not done.
  int open_sessions() const { return open_sessions_; }
  // Attempts of other requesters here.
  int open_for_peers() const;
  // The devices whose maps this device's parts of the attempt wait for.
  std::vector<DeviceId> AwaitedBy(const AttemptKey& key) const;
  const Participation* Find(const AttemptKey& key) const;

  // A map that `from` sent. INVALID_ARGUMENT when no honest device would have sent it; one of an
  // attempt that is unknown is kept for a while, one of an attempt that is over is dropped.
  Status Deliver(DeviceId from, ConnectionId connection, Frame frame, TimePoint now);

  // A session ended (done or failed); the attempt is over here when its last one did.
  void SessionEnded(const AttemptKey& key, int term);
  void Close(const AttemptKey& key);
  // Ends every attempt of a requester that is gone, and forgets what it sent early.
  void DropDevice(DeviceId gone);
  // Ends attempts whose deadline passed, and maps that came too early to be true.
  void DropExpired(TimePoint now);

  // Maps that are missing for `limit`, or whose sender cannot be reached. Each session reports
  // once. A peer whose maps come in for other attempts is busy, not cut off.
  std::vector<MissingMap> FindMissing(const Membership& membership, Duration limit, TimePoint now);

 private:
  struct Part {
    int term = 0;
    std::shared_ptr<Session> session;
    std::map<DeviceId, GroupSet> peers;                    // of the term
    std::set<std::pair<model::LayerIndex, int>> received;  // (layer, group)
    bool ended = false;
    bool reported = false;
  };
  struct Entry {
    Participation participation;
    std::vector<Part> parts;
  };
  bool IsBrief(const model::OperatingPoint& point, int images) const;
  Status DeliverTo(Entry& entry, DeviceId from, ConnectionId connection, Frame frame);
  void Erase(std::map<AttemptKey, Entry>::iterator entry);

  const model::Network& network_;
  const DeviceId self_;
  const SessionContext context_;
  EarlyMaps early_;
  std::map<AttemptKey, Entry> entries_;
  std::map<DeviceId, TimePoint> map_heard_;  // when a map of the peer last came
  int open_sessions_ = 0;
  double macs_per_second_ = 0;  // 0: not known
};

}  // namespace braid::cluster
