// Whether a peer that answers pings still delivers what it is asked for: how long attempts have
// waited for it in vain. Layer: cluster/device. Knows no socket, frame or timer.
#pragma once

#include <map>

#include "braid/base/clock.h"
#include "braid/cluster/core/coordinator.h"

namespace braid::cluster {

class StallWatch {
 public:
  // A peer stalls once attempts have waited for `limit` in all without one result from it.
  explicit StallWatch(Duration limit) : limit_(limit) {}

  // A result of any attempt came from the peer.
  void OnDelivered(DeviceId peer, TimePoint now) { peers_[peer] = {.delivered = now}; }

  // An attempt that waits for this peer alone has done so from `since` to `now`, and gives up or
  // has taken long. True when the peer stalls; its count then begins anew.
  bool WaitedInVain(DeviceId peer, TimePoint since, TimePoint now);

 private:
  struct Record {
    TimePoint delivered = TimePoint::min();
    Duration waited{};  // since then: the union of what attempts waited
    TimePoint counted = TimePoint::min();  // the end of that
  };
  const Duration limit_;
  std::map<DeviceId, Record> peers_;  // no more than the group ever had
};

}  // namespace braid::cluster
