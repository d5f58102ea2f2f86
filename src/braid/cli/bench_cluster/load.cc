#include "braid/cli/bench_cluster/load.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "braid/base/rng.h"

namespace braid::cli {
namespace {

constexpr size_t kDistinctInputs = 16;
// A window in which fewer requests end than this times those kept open is too short to say a rate:
// it goes on, for at most this much longer.
constexpr int64_t kFewestTurns = 4;
constexpr Duration kLongestExtension = std::chrono::seconds(10);

}  // namespace

ClosedLoopLoad::ClosedLoopLoad(cluster::Device* device, int point, int images, int in_flight,
                               uint64_t seed)
    : device_(device), point_(point), images_(images), in_flight_(in_flight) {
  const model::Network& network = device->model().network;
  const size_t bytes = static_cast<size_t>(network.input_h) * static_cast<size_t>(network.input_w) *
                       static_cast<size_t>(network.input_c) * static_cast<size_t>(images);
  Rng rng(seed);
  for (size_t i = 0; i < kDistinctInputs; ++i) {
    std::vector<uint8_t> pixels(bytes);
    for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(rng.Below(256));
    inputs_.push_back(std::move(pixels));
  }
}

void ClosedLoopLoad::SubmitOne() {
  cluster::InferRequest request;
  {
    const std::lock_guard lock(mutex_);
    request.pixels = inputs_[next_input_++ % inputs_.size()];
    ++open_;
  }
  request.constraints.point = point_;
  request.constraints.images = images_;
  // Long enough that only a real failure ends a request: slow links are what is being measured.
  request.constraints.remaining = std::chrono::seconds(20);
  const TimePoint submitted = clock_.Now();
  device_->Submit(std::move(request), [this, submitted](Result<cluster::InferResult> result) {
    Completed(submitted, result);
  });
}

void ClosedLoopLoad::Completed(TimePoint submitted, const Result<cluster::InferResult>& result) {
  const TimePoint now = clock_.Now();
  bool again = false;
  {
    const std::lock_guard lock(mutex_);
    --open_;
    if (!result.ok()) {
      ++report_.failed;
    } else if (result->point != point_) {
      ++report_.other_point;
    } else if (now >= window_start_ && now < window_end_) {
      report_.images += images_;
      report_.latency_us.push_back(
          std::chrono::duration<double, std::micro>(now - submitted).count());
    }
    again = !stopping_;
    if (open_ == 0 && stopping_) all_ended_.notify_all();
  }
  if (again) SubmitOne();
}

LoadReport ClosedLoopLoad::Run(Duration warmup, Duration measure) {
  {
    const std::lock_guard lock(mutex_);
    report_ = {};
    stopping_ = false;
    window_start_ = clock_.Now() + warmup;
    window_end_ = window_start_ + measure;
  }
  for (int i = 0; i < in_flight_; ++i) SubmitOne();
  std::this_thread::sleep_for(warmup);
  std::unique_lock lock(mutex_);
  const TimePoint longest = window_end_ + kLongestExtension;
  while (true) {
    const TimePoint end = window_end_;
    lock.unlock();
    std::this_thread::sleep_until(end);
    lock.lock();
    if (report_.images >= kFewestTurns * in_flight_ * images_ || end >= longest) break;
    window_end_ += measure;
  }
  stopping_ = true;
  all_ended_.wait(lock, [this] { return open_ == 0; });
  report_.seconds = std::chrono::duration<double>(window_end_ - window_start_).count();
  std::sort(report_.latency_us.begin(), report_.latency_us.end());
  return report_;
}

}  // namespace braid::cli
