// The queue before a device: bounded, by priority, with batches, and refusing at once what could
// not be answered in time. Layer: serving. Rules: docs/serving.md, "Under load".
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "braid/base/clock.h"
#include "braid/cluster/device.h"
#include "braid/serving/event_loop.h"
#include "braid/serving/job.h"
#include "braid/serving/service_rate.h"
#include "braid/serving/statistics.h"

namespace braid::serving {

struct DispatchOptions {
  int max_queue_requests = 1024;              // waiting, of one model version
  int64_t max_queue_bytes = 64 << 20;         // of their pixels
  Duration max_delay{};                       // a lone request may wait so long for company
  int preferred_images = 16;                  // with so many nothing waits for company
  Duration longest_batch = std::chrono::milliseconds(5);  // company may not make answers late
  // Executions handed to the device at a time: one computes, one is ready when it is done.
  int window = 2;
};

class Dispatcher : public std::enable_shared_from_this<Dispatcher> {
  struct Entry;

 public:
  // For Cancel; may be kept for any time.
  using Ticket = std::weak_ptr<Entry>;

  // The loop must outlive this, the device the last Submit before Stop. An execution under way
  // keeps the dispatcher, hence `statistics` is shared.
  Dispatcher(cluster::Device* device, EventLoop* loop, std::shared_ptr<Statistics> statistics,
             const DispatchOptions& options);

  // Any thread. The job is done with RESOURCE_EXHAUSTED (queue full, or longer than its deadline
  // allows), DEADLINE_EXCEEDED or UNAVAILABLE (stopped) before this returns, or is queued.
  Ticket Submit(Job job);
  // Any thread. Done with CANCELLED unless it was done before; not run when it still waits.
  void Cancel(const Ticket& ticket);
  // Refuses what waits and what comes.
  void Stop();

  // How many executions the device gets at a time.
  void SetWindow(int window);
  // Requests that wait, and images waiting or running.
  int queued_requests() const;
  int64_t open_images() const;
  // Until a request of one image that comes now would be answered; zero while unknown.
  Duration ExpectedWait() const;

 private:
  using EntryPtr = std::shared_ptr<Entry>;
  enum class State : uint8_t { kWaiting, kRunning, kOver };
  struct Entry {
    Job job;
    TimePoint deadline{};  // its own or the device's default
    TimePoint begun{};
    State state = State::kWaiting;  // guarded by mutex_
    bool accepted = false;
    bool alone = false;  // runs in a batch of its own
  };
  struct Batch {
    std::vector<EntryPtr> entries;
    TimePoint begun{};
    int64_t images_ahead = 0;
    int images = 0;
    bool completed = false;  // guarded by mutex_
  };
  struct Finished {
    EntryPtr entry;
    Result<Answer> result;
  };

  Status Admit(const Job& job, TimePoint deadline, TimePoint now, std::vector<Finished>* finished);
  // Of the lowest priority below `priority`, the latest; false when there is none.
  bool EvictBelow(int priority, std::vector<Finished>* finished);
  int64_t ImagesAhead(int priority) const;
  void Enqueue(EntryPtr entry, bool front);
  void Unqueue(const EntryPtr& entry);
  // The next batch, or none when nothing waits, the window is full or company is waited for.
  std::shared_ptr<Batch> NextBatch(TimePoint now, std::vector<Finished>* finished);
  void DropExpired(TimePoint now, std::vector<Finished>* finished);
  void Pump(bool tick = false);
  // As Pump, after what else is ready on the loop: requests that came together share a batch.
  void PumpSoon();
  void Run(const std::shared_ptr<Batch>& batch);
  void Complete(const std::shared_ptr<Batch>& batch, Result<cluster::InferResult> result);
  void Finish(const std::vector<Finished>& finished);
  void ArmTimer(TimePoint now);

  cluster::Device* const device_;
  EventLoop* const loop_;
  const std::shared_ptr<Statistics> statistics_;
  const DispatchOptions options_;
  const Duration default_deadline_;
  const int max_batch_;

  mutable std::mutex mutex_;  // guards the following
  std::map<int, std::deque<EntryPtr>> waiting_;  // by priority, then in order of arrival
  int waiting_requests_ = 0;
  int64_t waiting_images_ = 0;
  int64_t waiting_bytes_ = 0;
  int running_batches_ = 0;
  int64_t running_images_ = 0;
  int window_;
  bool stopped_ = false;
  bool timer_armed_ = false;
  bool pump_posted_ = false;
  ServiceRate rate_;
};

}  // namespace braid::serving
