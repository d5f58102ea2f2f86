#include "braid/client/latency_window.h"

#include <algorithm>

namespace braid::client {

void LatencyWindow::Add(Duration latency) {
  if (ring_.size() < kSize) {
    ring_.push_back(latency);
  } else {
    ring_[next_] = latency;
    next_ = (next_ + 1) % kSize;
  }
  if (++since_ < kBetween || ring_.size() < static_cast<size_t>(kFewest)) return;
  since_ = 0;
  std::vector<Duration> sorted = ring_;
  const size_t rank = (sorted.size() * 95 + 99) / 100 - 1;  // nearest rank
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(rank),
                   sorted.end());
  p95_ = sorted[rank];
}

}  // namespace braid::client
