// Maps that overtook the start of their attempt, and which attempts are known to be over. Layer:
// cluster/device. Used on the loop only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "braid/base/clock.h"
#include "braid/cluster/core/coordinator.h"
#include "braid/cluster/link/frame.h"

namespace braid::cluster {

struct EarlyMapsLimits {
  int attempts_per_sender = 64;  // the sender's credit
  size_t bytes_per_sender = size_t{32} << 20;
  Duration age = std::chrono::seconds(1);  // a start that is later than this never comes
};

class EarlyMaps {
 public:
  struct Map {
    DeviceId from{};
    Frame frame;
  };
  explicit EarlyMaps(const EarlyMapsLimits& limits) : limits_(limits) {}

  // Keeps the map; false when it was dropped: its attempt is over, or the sender is past its
  // limits (then the oldest attempt it sent for is given up first).
  bool Put(DeviceId from, Frame frame, TimePoint now);
  // The maps kept for an attempt that starts now, in order of arrival.
  std::vector<Map> Take(const AttemptKey& key);

  // The attempt ended or will never run here: what comes for it is dropped.
  void MarkOver(const AttemptKey& key);
  bool IsOver(const AttemptKey& key) const { return over_.contains(key); }

  void DropSender(DeviceId from);
  void DropOlderThanLimit(TimePoint now);
  size_t attempts() const { return attempts_.size(); }

 private:
  struct Attempt {
    TimePoint first{};
    std::vector<Map> maps;
  };
  struct Usage {
    std::map<AttemptKey, size_t> bytes;  // by attempt
    size_t total = 0;
  };
  void Erase(std::map<AttemptKey, Attempt>::iterator attempt);
  void GiveUpOldestOf(DeviceId from);

  const EarlyMapsLimits limits_;
  std::map<AttemptKey, Attempt> attempts_;
  std::map<DeviceId, Usage> usage_;
  std::set<AttemptKey> over_;
  std::deque<AttemptKey> over_order_;  // the same, oldest first, bounded
};

}  // namespace braid::cluster
