// Threads that share the rows or images of one layer. Layer: runtime.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace braid::runtime {

// Processors that this process may use: those of its affinity mask, but no more than its control
// group's quota of processor time pays for, rounded up. At least 1.
int UsableProcessors();

class ThreadPool {
 public:
  // Starts `threads` - 1 threads (the caller of Run is the other), fewer when the system gives no
  // more.
  explicit ThreadPool(int threads);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls function(part) for every part in [0, parts) and returns when all have returned; parts
  // run in any order, at the same time where threads are free. While another caller's Run is under
  // way the parts run here, one after another. Allocates nothing. `function` must not throw.
  template <typename Function>
  void Run(int parts, const Function& function) {
    RunErased(parts, [](const void* f, int part) { (*static_cast<const Function*>(f))(part); },
              &function);
  }

 private:
  using Erased = void (*)(const void* context, int part);
  void RunErased(int parts, Erased function, const void* context);
  void Work(int worker);

  std::mutex callers_;  // held by the one caller that the workers serve
  // The job: written before its number is published, read after it was seen.
  Erased function_ = nullptr;
  const void* context_ = nullptr;
  int parts_ = 0;
  std::atomic<uint32_t> job_ = 0;
  std::atomic<int> busy_ = 0;  // workers that have not finished the job
  std::atomic<bool> ending_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace braid::runtime
