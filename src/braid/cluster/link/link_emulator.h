// A TCP proxy that behaves like a slow, far or failing link, without root: for benchmarks and for
// tests of faults. Layer: cluster/link.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "braid/base/clock.h"
#include "braid/base/status.h"

namespace braid::cluster {

// One direction. The rate is that of the line: all connections through it share it.
struct LinkSettings {
  Duration delay = {};          // one way, added to what the machine takes
  int64_t bits_per_second = 0;  // 0: as fast as the machine
  // Fraction of TCP segments that are lost once. What a connection carries is then late by
  // kRetransmission, and all behind it waits, as the receiving TCP makes it wait.
  double loss = 0;
};

// Linux's shortest retransmission timeout: of a small exchange every segment is the last one, so no
// later one reveals the loss earlier.
inline constexpr Duration kRetransmission = std::chrono::milliseconds(200);

// Listens on a loopback port and passes every connection on to `target` (loopback too). Has a
// thread of its own; all calls from any thread. Bytes pass unchanged and in order; what leaves at
// time t with n bytes arrives at max(t, line free) + n / rate + delay, never earlier.
class LinkEmulator {
 public:
  // `forward` is towards the target.
  static Result<std::unique_ptr<LinkEmulator>> Create(const std::string& target,
                                                      LinkSettings forward = {},
                                                      LinkSettings back = {});
  ~LinkEmulator();
  LinkEmulator(const LinkEmulator&) = delete;
  LinkEmulator& operator=(const LinkEmulator&) = delete;

  // Where to connect instead of to the target.
  const std::string& address() const;

  // For what comes from now on.
  void Set(LinkSettings forward, LinkSettings back);
  // While frozen nothing passes, ends neither; connections stay, what comes is kept and passes
  // afterwards.
  void SetFrozen(bool frozen) { SetFrozen(frozen, frozen); }
  // Each direction by itself: a partition one way.
  void SetFrozen(bool forward, bool back);
  // Resets every connection, and new ones as they come, until Restore.
  void Cut();
  void Restore();

  struct Traffic {
    int64_t forward_bytes = 0;
    int64_t back_bytes = 0;
  };
  // Delivered so far.
  Traffic traffic() const;

 private:
  class Impl;
  explicit LinkEmulator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace braid::cluster
