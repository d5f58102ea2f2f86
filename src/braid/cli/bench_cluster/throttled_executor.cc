#include "braid/cli/bench_cluster/throttled_executor.h"

#include <time.h>

#include <thread>
#include <utility>

#include "braid/base/clock.h"

namespace braid::cli {
namespace {

// Shorter debts are carried on to the next job: a sleep oversleeps by about this much.
constexpr Duration kShortestSleep = std::chrono::microseconds(100);

// Processor time that the calling thread has used. Time in which something else ran on its core
// is not work, and a slower processor would not multiply it.
Duration ThreadTime() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

class ThrottledExecutor final : public cluster::Executor {
 public:
  ThrottledExecutor(std::unique_ptr<cluster::Executor> inner, double share)
      : inner_(std::move(inner)), share_(share) {}

  void Run(std::function<void()> job) override {
    inner_->Run([this, job = std::move(job)] {
      const Duration before = ThreadTime();
      job();
      Pay(ThreadTime() - before);
    });
  }
  void Stop() override { inner_->Stop(); }

 private:
  // Runs on the inner executor's one thread.
  void Pay(Duration worked) {
    debt_ += Duration(static_cast<int64_t>(static_cast<double>(worked.count()) *
                                           (1.0 / share_ - 1.0)));
    if (debt_ < kShortestSleep) return;
    const TimePoint before = clock_.Now();
    std::this_thread::sleep_for(debt_);
    debt_ -= clock_.Now() - before;  // oversleeping is credited to the jobs that follow
  }

  std::unique_ptr<cluster::Executor> inner_;
  const double share_;
  SystemClock clock_;
  Duration debt_{};
};

}  // namespace

std::unique_ptr<cluster::Executor> MakeThrottledExecutor(std::unique_ptr<cluster::Executor> inner,
                                                         double share) {
  if (share >= 1.0) return inner;
  return std::make_unique<ThrottledExecutor>(std::move(inner), share);
}

}  // namespace braid::cli
