// The two executors of device.h: a thread of its own, and the transport's loop.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "braid/cluster/device.h"

namespace braid::cluster {
namespace {

class ThreadExecutor final : public Executor {
 public:
  ThreadExecutor() : thread_([this] { Work(); }) {}
  ~ThreadExecutor() override { Stop(); }

  void Run(std::function<void()> job) override {
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return;
      jobs_.push_back(std::move(job));
    }
    wake_.notify_one();
  }

  void Stop() override {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_one();
    const std::lock_guard lock(join_mutex_);  // two callers may not join one thread
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stopped_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      job = nullptr;  // what it holds is released without the lock
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;  // guarded by mutex_
  bool stopped_ = false;                    // guarded by mutex_
  std::mutex join_mutex_;
  std::thread thread_;  // last: it uses all of the above
};

// Jobs become tasks of the loop, so that a simulation needs no second thread and stays
// deterministic. Stop() cannot wait for the loop that it is called from: jobs that have not run
// by then are dropped.
class LoopExecutor final : public Executor {
 public:
  explicit LoopExecutor(Transport* transport) : transport_(transport) {}
  ~LoopExecutor() override { Stop(); }

  void Run(std::function<void()> job) override {
    if (*stopped_) return;
    transport_->Post([job = std::move(job), stopped = stopped_] {
      if (!*stopped) job();
    });
  }
  void Stop() override { *stopped_ = true; }

 private:
  Transport* transport_;
  // Shared with tasks that may still wait in the transport when this executor is gone.
  std::shared_ptr<bool> stopped_ = std::make_shared<bool>(false);
};

}  // namespace

std::unique_ptr<Executor> MakeThreadExecutor() { return std::make_unique<ThreadExecutor>(); }
std::unique_ptr<Executor> MakeLoopExecutor(Transport* transport) {
  return std::make_unique<LoopExecutor>(transport);
}

}  // namespace braid::cluster
