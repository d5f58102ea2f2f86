// Whether one connected peer is alive, by what is heard from it: when to ping, when to suspect,
// when to trust again, and the round trip. Layer: cluster/device. Knows no socket or timer.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "braid/base/clock.h"

namespace braid::cluster {

struct LivenessLimits {
  Duration ping_interval{};  // a line that is quiet for this long is pinged
  Duration silence_limit{};  // a peer not heard for this long is suspected
};

class Liveness {
 public:
  Liveness(const LivenessLimits& limits, TimePoint now) : limits_(limits), heard_(now) {}

  // Something arrived. True when that ends the suspicion.
  bool OnHeard(TimePoint now);

  struct PongResult {
    bool expected = false;   // echoes an open ping; otherwise nothing changed
    bool recovered = false;  // ends the suspicion
    TimePoint sent{};        // of the ping that it answers
    Duration round_trip{};   // smoothed
  };
  PongResult OnPong(uint64_t echo, TimePoint now);

  struct Due {
    std::optional<uint64_t> ping;  // send a ping with this payload
    bool suspect = false;          // the peer became suspected just now
  };
  Due Tick(TimePoint now);

  // This process did not run until `now` (stopped, or starved): what was not heard meanwhile
  // is not the peer's fault.
  void Forgive(TimePoint now);

  bool suspected() const { return silent_ || deaf_; }
  TimePoint heard() const { return heard_; }
  Duration round_trip() const { return round_trip_; }

 private:
  struct Ping {
    uint64_t echo = 0;
    TimePoint sent{};
  };
  LivenessLimits limits_;
  TimePoint heard_;
  TimePoint pinged_{};
  std::deque<Ping> open_pings_;  // oldest first, at most kMaxOpenPings
  uint64_t next_echo_ = 1;
  Duration round_trip_{};
  bool silent_ = false;  // not heard
  bool deaf_ = false;    // heard, but it answers no ping: what we send does not arrive
};

}  // namespace braid::cluster
