#include "braid/cli/bench_serve/load.h"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "braid/base/rng.h"

namespace braid::cli {
namespace {

TimePoint Now() { return std::chrono::steady_clock::now(); }

// Shared with callbacks.
class Generator {
 public:
  Generator(LoadPort* port, const LoadOptions& options)
      : port_(port),
        options_(options),
        begin_(Now() + options.warmup),
        end_(begin_ + options.measure) {}

  void SendOne() {
    {
      const std::lock_guard lock(mutex_);
      ++outstanding_;
    }
    const TimePoint sent = Now();
    port_->Send([this, sent](const Status& status) { OnDone(sent, status); });
  }

  void RunClosed() {
    for (int i = 0; i < options_.in_flight; ++i) SendOne();
    std::this_thread::sleep_until(end_);
  }

  void RunOpen() {
    Rng rng(options_.seed);
    TimePoint next = Now();
    while (next < end_) {
      if (next > Now()) std::this_thread::sleep_until(next);
      SendOne();
      const double u = 1.0 - rng.Uniform();  // in (0, 1]
      next += std::chrono::duration_cast<Duration>(
          std::chrono::duration<double>(-std::log(u) / options_.rate));
    }
  }

  LoadResult Finish() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return outstanding_ == 0; });
    result_.seconds = std::chrono::duration<double>(options_.measure).count();
    std::ranges::sort(result_.answer_ms);
    std::ranges::sort(result_.refusal_ms);
    return std::move(result_);
  }

 private:
  void OnDone(TimePoint sent, const Status& status) {
    const TimePoint now = Now();
    const bool again = options_.rate <= 0 && now < end_;
    {
      const std::lock_guard lock(mutex_);
      if (sent >= begin_ && sent < end_) Count(status, now - sent);
      if (!again && --outstanding_ == 0) idle_.notify_all();
    }
    if (!again) return;
    port_->Send([this, now](const Status& next) { OnDone(now, next); });
  }

  void Count(const Status& status, Duration took) {
    const double ms = std::chrono::duration<double, std::milli>(took).count();
    if (status.code() == StatusCode::kCancelled) {
      ++result_.unsent;
      return;
    }
    ++result_.sent;
    if (status.ok()) {
      ++(took <= options_.deadline ? result_.in_time : result_.late);
      result_.answer_ms.push_back(ms);
    } else if (status.code() == StatusCode::kDeadlineExceeded) {
      ++result_.late;
    } else if (status.code() == StatusCode::kResourceExhausted) {
      ++result_.refused;
      result_.refusal_ms.push_back(ms);
    } else {
      ++result_.failed;
    }
  }

  LoadPort* const port_;
  const LoadOptions options_;
  const TimePoint begin_, end_;
  std::mutex mutex_;
  std::condition_variable idle_;
  int64_t outstanding_ = 0;
  LoadResult result_;
};

}  // namespace

double Quantile(const std::vector<double>& sorted, double q) {
  if (sorted.empty()) return 0;
  const auto index = static_cast<size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5);
  return sorted[std::min(index, sorted.size() - 1)];
}

LoadResult RunLoad(LoadPort* port, const LoadOptions& options) {
  Generator generator(port, options);
  if (options.rate > 0) {
    generator.RunOpen();
  } else {
    generator.RunClosed();
  }
  return generator.Finish();
}

}  // namespace braid::cli
