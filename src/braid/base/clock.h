// Time as an argument: nothing below the programs' edge asks the operating system for it.
// Layer: base.
#pragma once

#include <chrono>

namespace braid {

using Duration = std::chrono::nanoseconds;
// A point on a monotonic clock of unspecified origin; never sent to another machine (deadlines
// travel as remaining Duration).
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;
};

// The machine's monotonic clock. Thread-safe.
class SystemClock final : public Clock {
 public:
  TimePoint Now() const override { return std::chrono::steady_clock::now(); }
};

// A clock that moves only when told to, for tests and simulation. Not thread-safe.
class ManualClock final : public Clock {
 public:
  TimePoint Now() const override { return now_; }
  void Advance(Duration by) { now_ += by; }

 private:
  TimePoint now_{};
};

}  // namespace braid
