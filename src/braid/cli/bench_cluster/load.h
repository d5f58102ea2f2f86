// A closed loop of requests on one device: a number of them is kept open, and what completes within
// a window is counted. Layer: cli.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "braid/base/clock.h"
#include "braid/cluster/device.h"

namespace braid::cli {

struct LoadReport {
  int64_t images = 0;              // answered within the window
  int64_t failed = 0;              // requests that ended with an error, at any time
  int64_t other_point = 0;         // requests answered by another point than the one asked for
  double seconds = 0;              // of the window
  std::vector<double> latency_us;  // of requests that completed within the window, ascending
};

class ClosedLoopLoad {
 public:
  // Asks `device` for point `point` with `images` images of random pixels in each request.
  ClosedLoopLoad(cluster::Device* device, int point, int images, int in_flight, uint64_t seed);

  // Keeps `in_flight` requests open for warmup + measure (longer where few end in that time), then
  // waits until all have ended.
  LoadReport Run(Duration warmup, Duration measure);

 private:
  void SubmitOne();
  void Completed(TimePoint submitted, const Result<cluster::InferResult>& result);

  cluster::Device* device_;
  const int point_;
  const int images_;
  const int in_flight_;
  std::vector<std::vector<uint8_t>> inputs_;  // taken in turn
  SystemClock clock_;

  std::mutex mutex_;
  std::condition_variable all_ended_;
  // Guarded by mutex_:
  size_t next_input_ = 0;
  int open_ = 0;
  bool stopping_ = false;
  TimePoint window_start_, window_end_;
  LoadReport report_;
};

}  // namespace braid::cli
