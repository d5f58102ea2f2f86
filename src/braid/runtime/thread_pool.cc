#include "braid/runtime/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <system_error>

namespace braid::runtime {
namespace {

// A layer takes microseconds, waking a thread as many: between layers of one run workers look this
// often before they sleep (about 10 µs).
constexpr int kLooks = 300;

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int ProcessorsOfAffinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

// Version 2 ("quota period" or "max period"), else version 1; no limit: a large number.
int ProcessorsOfQuota() {
  constexpr int kNoLimit = 1 << 20;
  int64_t quota = -1, period = 0;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2) {
    if (!(v2 >> quota >> period)) return kNoLimit;
  } else {
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  }
  if (quota <= 0 || period <= 0) return kNoLimit;
  return static_cast<int>(std::clamp<int64_t>((quota + period - 1) / period, 1, kNoLimit));
}

}  // namespace

int UsableProcessors() { return std::min(ProcessorsOfAffinity(), ProcessorsOfQuota()); }

ThreadPool::ThreadPool(int threads) {
  workers_.reserve(static_cast<size_t>(std::max(threads - 1, 0)));
  for (int worker = 1; worker < threads; ++worker) {
    try {
      workers_.emplace_back([this, worker] { Work(worker); });
    } catch (const std::system_error&) {
      break;  // fewer threads give the same results
    }
  }
}

ThreadPool::~ThreadPool() {
  ending_ = true;
  job_.fetch_add(1);
  job_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

// Worker w takes parts w, w + threads, ...: which thread runs a part changes no result.
void ThreadPool::RunErased(int parts, Erased function, const void* context) {
  std::unique_lock<std::mutex> only(callers_, std::try_to_lock);
  if (parts <= 1 || workers_.empty() || !only.owns_lock()) {
    for (int part = 0; part < parts; ++part) function(context, part);
    return;
  }
  function_ = function;
  context_ = context;
  parts_ = parts;
  busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  job_.fetch_add(1, std::memory_order_release);
  job_.notify_all();
  for (int part = 0; part < parts; part += threads()) function(context, part);
  for (int look = 0; busy_.load(std::memory_order_acquire) != 0;) {
    if (++look < kLooks) {
      Pause();
    } else {
      const int seen = busy_.load(std::memory_order_acquire);
      if (seen != 0) busy_.wait(seen, std::memory_order_acquire);
    }
  }
}

void ThreadPool::Work(int worker) {
  uint32_t done = 0;
  while (true) {
    for (int look = 0; job_.load(std::memory_order_acquire) == done && look < kLooks; ++look) {
      Pause();
    }
    job_.wait(done, std::memory_order_acquire);
    ++done;  // one job at a time: the next is published when all have finished this one
    if (ending_) return;
    for (int part = worker; part < parts_; part += threads()) function_(context_, part);
    if (busy_.fetch_sub(1, std::memory_order_release) == 1) busy_.notify_one();
  }
}

}  // namespace braid::runtime
