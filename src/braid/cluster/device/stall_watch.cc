#include "braid/cluster/device/stall_watch.h"

#include <algorithm>

namespace braid::cluster {

bool StallWatch::WaitedInVain(DeviceId peer, TimePoint since, TimePoint now) {
  Record& record = peers_[peer];
  // It works: this attempt is behind others.
  if (record.delivered >= since) return false;
  // Attempts that waited side by side count once: a peer that pauses for a moment does not stall,
  // however many it keeps waiting.
  record.waited += now - std::min(now, std::max(since, record.counted));
  record.counted = now;
  if (record.waited < limit_) return false;
  record.waited = {};
  return true;
}

}  // namespace braid::cluster
