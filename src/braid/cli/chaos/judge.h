// What becomes of every request of a chaos run: whether it was answered, in time, bit for bit right;
// and how long requests had to wait after each fault. Layer: cli. Holds totals only, so that a run
// may take hours.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/cli/image_stream.h"

namespace braid::cli {

// Counts by size, each size known to 2 %.
class LatencyHistogram {
 public:
  void Add(Duration latency);
  // In milliseconds; 0 of none.
  double Quantile(double q) const;
  double WorstMs() const;

 private:
  static constexpr size_t kBuckets = 1024;  // from 1 µs by 2 % each: to ten minutes
  std::array<int64_t, kBuckets> counts_{};
  int64_t total_ = 0;
  Duration worst_{};
};

struct JudgeTotals {
  int64_t answered = 0;
  int64_t failed = 0;   // an error, or an answer after the deadline
  int64_t wrong = 0;    // not bit for bit what the point that it names gives
  int64_t images = 0;   // of answers
  int64_t correct = 0;  // classified as the data set says
  int64_t failovers = 0;
  int64_t retried = 0;  // sent by the client more than once
  std::map<std::string, int64_t> points;    // answers by operating point
  std::map<std::string, int64_t> versions;  // and by version of the model
  std::vector<std::string> examples;        // of failed and wrong ones, the first few
  LatencyHistogram latency;
  // By fault: for each time that it happened, how long a request had to wait at most, in ms.
  std::map<std::string, std::vector<double>> waits_ms;
};

class Judge {
 public:
  struct Checks {
    // Whether an OK answer is bit for bit that of its point; an error is one of ours.
    std::function<Result<bool>(const StreamAnswer&)> equals;
    std::function<int(const StreamAnswer&)> correct;  // images classified right
  };
  Judge(Checks checks, Duration deadline) : checks_(std::move(checks)), deadline_(deadline) {}

  // Any thread, in any order.
  void Take(const StreamAnswer& answer);
  // A fault begins at `from`. It is charged with the longest wait, from then or from when it was
  // sent, of all requests that are open then or sent within `length`.
  void OpenWindow(const std::string& fault, TimePoint from, Duration length);
  // After the last Take.
  JudgeTotals Finish();

 private:
  struct Window {
    std::string fault;
    TimePoint from{}, until{};
    Duration wait{};
    bool met = false;  // any request
  };
  void Verify(const StreamAnswer& answer);
  void Complain(const std::string& what);
  void CloseBefore(TimePoint time);

  const Checks checks_;
  const Duration deadline_;
  std::mutex mutex_;  // of all below
  JudgeTotals totals_;
  std::vector<Window> windows_;
};

}  // namespace braid::cli
