// A stream of single-image requests at a front door, as fast as answers come or at a fixed rate,
// and what became of them. Layer: cli.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"

namespace braid::cli {

// Sends one request at a time for the generator. Any thread may call Send; `done` is called once,
// on a thread of the port's, with what came back: OK, RESOURCE_EXHAUSTED (refused),
// DEADLINE_EXCEEDED, or another error. CANCELLED: not sent, every connection was busy.
class LoadPort {
 public:
  virtual ~LoadPort() = default;
  virtual void Send(std::function<void(const Status&)> done) = 0;
  // Requests that the port refused itself, at once: they count as refused.
  virtual int64_t refused_here() const { return 0; }
};

struct LoadOptions {
  double rate = 0;     // requests a second, at random (Poisson) distances; 0: the next one as soon
  int in_flight = 16;  // as one of so many is answered
  Duration warmup{};   // before the measurement; not counted
  Duration measure = std::chrono::seconds(1);
  Duration deadline = std::chrono::seconds(1);  // answers that come later are late
  uint64_t seed = 1;
};

struct LoadResult {
  int64_t sent = 0;      // what follows, together
  int64_t in_time = 0;   // answered within the deadline
  int64_t late = 0;      // answered after it, or DEADLINE_EXCEEDED: taken on and not kept
  int64_t refused = 0;   // RESOURCE_EXHAUSTED
  int64_t failed = 0;    // anything else
  int64_t unsent = 0;    // no connection was free; not in `sent`
  double seconds = 0;
  std::vector<double> answer_ms;   // of in_time and late answers, sorted
  std::vector<double> refusal_ms;  // sorted

  double PerSecond() const { return seconds > 0 ? static_cast<double>(in_time) / seconds : 0; }
};

// Of sorted values; 0 of none.
double Quantile(const std::vector<double>& sorted, double q);

LoadResult RunLoad(LoadPort* port, const LoadOptions& options);

}  // namespace braid::cli
