// How much load a client may add to its requests: a token bucket that hedges and retries draw from.
// Layer: client. Not thread-safe; time is an argument.
#pragma once

#include <algorithm>

#include "braid/base/clock.h"

namespace braid::client {

// In any stretch of time no more than `burst` + `share` * requests + `per_second` * its length
// tokens are taken. It starts full.
class RetryBudget {
 public:
  RetryBudget(double share, double per_second, double burst)
      : share_(share), per_second_(per_second), burst_(burst), tokens_(burst) {}

  // A request came: it pays in its share.
  void AddRequest() { tokens_ = std::min(burst_, tokens_ + share_); }

  // Takes one token; false when there is none.
  bool Take(TimePoint now) {
    if (last_ != TimePoint{} && now > last_) {
      const double seconds = std::chrono::duration<double>(now - last_).count();
      tokens_ = std::min(burst_, tokens_ + per_second_ * seconds);
    }
    last_ = std::max(last_, now);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  const double share_;
  const double per_second_;
  const double burst_;
  double tokens_;
  TimePoint last_{};
};

}  // namespace braid::client
