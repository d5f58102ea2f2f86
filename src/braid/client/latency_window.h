// The 95th percentile of the latest attempts' times. Layer: client. Not thread-safe.
#pragma once

#include <optional>
#include <vector>

#include "braid/base/clock.h"

namespace braid::client {

class LatencyWindow {
 public:
  // An attempt that was answered after `latency`, or was given up then: counted as the least that
  // it would have taken, since a window of winners only would shrink with every hedge.
  void Add(Duration latency);
  // Nothing before kFewest attempts: of fewer the percentile is the largest.
  std::optional<Duration> P95() const { return p95_; }

  static constexpr int kFewest = 32;

 private:
  // Covers seconds at the rates where hedging matters; twelve values lie above the percentile.
  static constexpr size_t kSize = 256;
  static constexpr int kBetween = 16;  // attempts between two computations, which sort the window

  std::vector<Duration> ring_;
  size_t next_ = 0;
  int since_ = 0;
  std::optional<Duration> p95_;
};

}  // namespace braid::client
