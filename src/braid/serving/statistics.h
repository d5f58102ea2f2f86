// What one version of a model has done since it was loaded: the numbers behind the statistics
// extension and the metrics. Layer: serving.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/cluster/device.h"

namespace braid::serving {

struct DurationSum {
  uint64_t count = 0;
  Duration sum{};
  void Add(Duration duration) {
    ++count;
    sum += duration;
  }
};

// Cumulative counts of durations at fixed bounds, as Prometheus wants them.
struct Histogram {
  // From a small network's batch to the longest deadline anybody waits for.
  static constexpr std::array<double, 14> kBoundsSeconds = {
      0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
      0.025,  0.05,    0.1,    0.25,  0.5,    1,     5};
  std::array<uint64_t, kBoundsSeconds.size() + 1> counts{};  // not cumulative; last: beyond
  DurationSum total;
  void Add(Duration duration);
};

// Why a request got no answer.
enum class Refusal : uint8_t {
  kRejected,   // shed: the queue is full, or too long for the deadline
  kCancelled,  // by the client
  kDeadline,   // its time ran out
  kInvalid,    // the request is wrong
  kFailed,     // everything else
};
inline constexpr size_t kRefusals = 5;
Refusal RefusalOf(StatusCode code);

struct StatisticsSnapshot {
  DurationSum success;  // requests, from arrival to answer
  DurationSum failure;  // requests
  DurationSum queue, compute_input, compute_infer, compute_output;  // of successful requests
  Histogram latency;
  std::array<uint64_t, kRefusals> refused{};
  uint64_t images = 0;      // in successful requests
  uint64_t executions = 0;  // batches
  uint64_t budget_misses = 0;  // requests taken on whose deadline passed before their answer
  uint64_t failovers = 0;
  uint64_t last_inference_ms = 0;              // since 1970
  std::map<int, DurationSum> batches;          // by images
  std::map<int, uint64_t> points;              // requests by operating point's index
  std::map<std::string, uint64_t> devices;     // requests that a device took part in
};

// Thread-safe.
class Statistics {
 public:
  struct Success {
    int images = 1;
    Duration total{}, queue{}, input{}, infer{};
  };
  void AddSuccess(const Success& success, const cluster::InferResult& result);
  // The time that a door needed to write an answer out.
  void AddOutput(Duration duration);
  void AddFailure(StatusCode code, Duration total, bool was_accepted);
  void AddBatch(int images, Duration infer);
  StatisticsSnapshot Snapshot() const;

 private:
  mutable std::mutex mutex_;
  StatisticsSnapshot data_;
};

}  // namespace braid::serving
