#include "stream.h"

#include <algorithm>

namespace braid::cluster::testing {

Stream::Stream(ProcessGroup* group, int in_flight) : group_(group), watch_([this] { Watch(); }) {
  for (int i = 0; i < in_flight; ++i) Ask();
}

Stream::~Stream() { Stop(); }

void Stream::Ask() {
  uint64_t seed = 0;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    seed = next_seed_++;
    ++open_;
  }
  const TimePoint asked = clock_.Now();
  group_->requester().device().Submit(
      group_->Request(seed), [this, seed, asked](Result<InferResult> result) {
        // The next one first: once nothing is open, Stop() returns and this may be gone.
        Ask();
        const std::lock_guard lock(mutex_);
        answered_.push_back({seed, asked, clock_.Now(), std::move(result)});
        if (--open_ == 0) idle_.notify_all();
      });
}

void Stream::Watch() {
  constexpr Duration kBeat = std::chrono::milliseconds(5);
  while (true) {
    const TimePoint before = clock_.Now();
    std::this_thread::sleep_for(kBeat);
    starved_ = std::max(starved_.load(), clock_.Now() - before - kBeat);
    const std::lock_guard lock(mutex_);
    if (stopped_ && open_ == 0) return;
  }
}

void Stream::MarkFault() {
  const std::lock_guard lock(mutex_);
  fault_ = clock_.Now();
}

void Stream::Stop() {
  {
    std::unique_lock lock(mutex_);
    stopped_ = true;
    idle_.wait(lock, [this] { return open_ == 0; });
  }
  if (watch_.joinable()) watch_.join();
}

Stream::Summary Stream::Judge() const {
  const std::lock_guard lock(mutex_);
  sim::Oracle oracle(group_->model().network);
  Summary summary;
  std::optional<TimePoint> first;
  for (const Answered& each : answered_) {
    ++summary.requests;
    if (!each.result.ok()) {
      ++summary.failed;
      if (summary.first_failure.empty()) summary.first_failure = each.result.status().ToString();
      continue;
    }
    const InferResult& result = *each.result;
    const InferRequest request = group_->Request(each.seed);
    if (result.logits != oracle.Logits(result.point, request.pixels, 1)) ++summary.wrong;
    if (result.devices.size() > 1) ++summary.combined;
    summary.failovers += result.failovers;
    summary.worst = std::max(summary.worst, each.answered - each.asked);
    if (each.asked >= fault_ && (!first || each.answered < *first)) first = each.answered;
  }
  if (first) summary.first_answer = *first - fault_;
  return summary;
}

}  // namespace braid::cluster::testing
