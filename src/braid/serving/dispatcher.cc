#include "braid/serving/dispatcher.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace braid::serving {
namespace {

// How late a request that waits may learn that its deadline has passed.
constexpr Duration kLongestTick = std::chrono::milliseconds(5);

constexpr Duration kMostSlack = std::chrono::milliseconds(100);

TimePoint Now() { return std::chrono::steady_clock::now(); }

std::string Milliseconds(Duration duration) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  return std::to_string(us / 1000) + "." + std::to_string(us / 100 % 10) + " ms";
}

// Requests that may share an execution ask for the same things; deadlines may differ.
bool MayShare(const control::Constraints& a, const control::Constraints& b) {
  return a.point == b.point && a.max_macs == b.max_macs && a.min_accuracy == b.min_accuracy &&
         a.strict == b.strict;
}

}  // namespace

Dispatcher::Dispatcher(cluster::Device* device, EventLoop* loop,
                       std::shared_ptr<Statistics> statistics,
                       const DispatchOptions& options)
    : device_(device),
      loop_(loop),
      statistics_(std::move(statistics)),
      options_(options),
      default_deadline_(device->options().coordinator.default_deadline),
      max_batch_(device->options().max_batch),
      window_(std::max(1, options.window)) {}

Dispatcher::Ticket Dispatcher::Submit(Job job) {
  const TimePoint now = Now();
  auto entry = std::make_shared<Entry>();
  entry->deadline = job.deadline.value_or(job.arrived + default_deadline_);
  std::vector<Finished> finished;
  {
    const std::lock_guard lock(mutex_);
    const Status status = Admit(job, entry->deadline, now, &finished);
    entry->job = std::move(job);
    if (status.ok()) {
      entry->accepted = true;
      Enqueue(entry, false);
    } else {
      entry->state = State::kOver;
      finished.push_back({entry, status});
    }
  }
  Finish(finished);
  if (loop_->OnLoop()) {
    PumpSoon();
  } else {
    Pump();
  }
  return entry;
}

Status Dispatcher::Admit(const Job& job, TimePoint deadline, TimePoint now,
                         std::vector<Finished>* finished) {
  if (stopped_) return Unavailable("the device shuts down");
  if (deadline <= now) return DeadlineExceeded("the deadline passed before the request was read");
  // A device with nothing to do takes any request: an estimate that went wrong corrects itself so.
  if (waiting_requests_ == 0 && running_batches_ < window_) return OkStatus();
  const Duration wait = rate_.Expect(ImagesAhead(job.priority), job.constraints.images);
  // A tenth more, and a tenth of the time that the request had, for the way back through the door.
  const Duration slack = wait / 10 + std::min<Duration>((deadline - job.arrived) / 10, kMostSlack);
  if (now + wait + slack > deadline) {
    return ResourceExhausted("overloaded: an answer would take about " + Milliseconds(wait) +
                             ", the deadline is in " + Milliseconds(deadline - now));
  }
  const auto full = [&] {
    return waiting_requests_ >= options_.max_queue_requests ||
           waiting_bytes_ + static_cast<int64_t>(job.pixels.size()) > options_.max_queue_bytes;
  };
  while (full()) {
    if (!EvictBelow(job.priority, finished)) return ResourceExhausted("overloaded: queue is full");
  }
  return OkStatus();
}

bool Dispatcher::EvictBelow(int priority, std::vector<Finished>* finished) {
  if (waiting_.empty() || waiting_.rbegin()->first <= priority) return false;
  const EntryPtr last = waiting_.rbegin()->second.back();
  Unqueue(last);
  last->state = State::kOver;
  finished->push_back({last, ResourceExhausted("overloaded: made room for a higher priority")});
  return true;
}

int64_t Dispatcher::ImagesAhead(int priority) const {
  if (waiting_.empty() || waiting_.rbegin()->first <= priority) {
    return running_images_ + waiting_images_;
  }
  int64_t images = running_images_;
  for (const auto& [level, entries] : waiting_) {
    if (level > priority) break;
    for (const EntryPtr& entry : entries) images += entry->job.constraints.images;
  }
  return images;
}

void Dispatcher::Enqueue(EntryPtr entry, bool front) {
  ++waiting_requests_;
  waiting_images_ += entry->job.constraints.images;
  waiting_bytes_ += static_cast<int64_t>(entry->job.pixels.size());
  entry->state = State::kWaiting;
  auto& level = waiting_[entry->job.priority];
  if (front) {
    level.push_front(std::move(entry));
  } else {
    level.push_back(std::move(entry));
  }
}

void Dispatcher::Unqueue(const EntryPtr& entry) {
  const auto level = waiting_.find(entry->job.priority);
  const auto place = std::ranges::find(level->second, entry);
  --waiting_requests_;
  waiting_images_ -= entry->job.constraints.images;
  waiting_bytes_ -= static_cast<int64_t>(entry->job.pixels.size());
  level->second.erase(place);
  if (level->second.empty()) waiting_.erase(level);
}

void Dispatcher::Cancel(const Ticket& ticket) {
  const EntryPtr entry = ticket.lock();
  if (entry == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    if (entry->state == State::kOver) return;
    if (entry->state == State::kWaiting) Unqueue(entry);
    entry->state = State::kOver;
  }
  Finish({{entry, Status(StatusCode::kCancelled, "cancelled by the client")}});
}

void Dispatcher::Stop() {
  std::vector<Finished> finished;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    while (!waiting_.empty()) {
      const EntryPtr entry = waiting_.begin()->second.front();
      Unqueue(entry);
      entry->state = State::kOver;
      finished.push_back({entry, Unavailable("the device shuts down")});
    }
  }
  Finish(finished);
}

void Dispatcher::SetWindow(int window) {
  {
    const std::lock_guard lock(mutex_);
    window_ = std::max(1, window);
  }
  Pump();
}

std::shared_ptr<Dispatcher::Batch> Dispatcher::NextBatch(TimePoint now,
                                                         std::vector<Finished>* finished) {
  while (!waiting_.empty()) {  // work whose time is over is dropped, not finished
    const EntryPtr entry = waiting_.begin()->second.front();
    if (entry->deadline > now) break;
    Unqueue(entry);
    entry->state = State::kOver;
    finished->push_back({entry, DeadlineExceeded("the deadline passed in the queue")});
  }
  if (waiting_.empty() || running_batches_ >= window_) return nullptr;
  auto& level = waiting_.begin()->second;
  const bool waits_for_company = options_.max_delay > Duration{} &&
                                 waiting_images_ < options_.preferred_images &&
                                 now < level.front()->job.arrived + options_.max_delay;
  if (waits_for_company) return nullptr;

  int limit = max_batch_;
  if (const Duration one = rate_.per_image(); one > Duration{}) {
    limit = static_cast<int>(
        std::clamp<int64_t>(options_.longest_batch / one, 1, max_batch_));
  }
  auto batch = std::make_shared<Batch>();
  batch->begun = now;
  batch->images_ahead = running_images_;
  const int priority = waiting_.begin()->first;
  while (!waiting_.empty() && waiting_.begin()->first == priority) {
    const EntryPtr entry = waiting_.begin()->second.front();
    const int images = entry->job.constraints.images;
    if (!batch->entries.empty()) {
      const Entry& first = *batch->entries.front();
      if (first.alone || entry->alone || batch->images + images > limit ||
          entry->deadline <= now || !MayShare(first.job.constraints, entry->job.constraints)) {
        break;
      }
    }
    Unqueue(entry);
    entry->state = State::kRunning;
    entry->begun = now;
    batch->images += images;
    batch->entries.push_back(entry);
  }
  ++running_batches_;
  running_images_ += batch->images;
  return batch;
}

// Those at the front are found when their turn comes; this looks at all that wait.
void Dispatcher::DropExpired(TimePoint now, std::vector<Finished>* finished) {
  std::vector<EntryPtr> expired;
  for (const auto& [priority, level] : waiting_) {
    std::ranges::copy_if(level, std::back_inserter(expired),
                         [now](const EntryPtr& entry) { return entry->deadline <= now; });
  }
  for (const EntryPtr& entry : expired) {
    Unqueue(entry);
    entry->state = State::kOver;
    finished->push_back({entry, DeadlineExceeded("the deadline passed in the queue")});
  }
}

void Dispatcher::Pump(bool tick) {
  while (true) {
    std::vector<Finished> finished;
    std::shared_ptr<Batch> batch;
    {
      const TimePoint now = Now();
      const std::lock_guard lock(mutex_);
      if (std::exchange(tick, false)) {
        timer_armed_ = false;
        DropExpired(now, &finished);
      }
      batch = NextBatch(now, &finished);
      if (batch == nullptr) ArmTimer(now);
    }
    Finish(finished);
    if (batch == nullptr) return;
    Run(batch);
  }
}

void Dispatcher::PumpSoon() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(pump_posted_, true)) return;
  }
  loop_->Post([weak = weak_from_this()] {
    const std::shared_ptr<Dispatcher> self = weak.lock();
    if (self == nullptr) return;
    {
      const std::lock_guard lock(self->mutex_);
      self->pump_posted_ = false;
    }
    self->Pump();
  });
}

void Dispatcher::Run(const std::shared_ptr<Batch>& batch) {
  cluster::InferRequest request;
  request.constraints = batch->entries.front()->job.constraints;
  request.constraints.images = batch->images;
  TimePoint deadline = batch->entries.front()->deadline;
  if (batch->entries.size() == 1) {
    request.pixels = std::move(batch->entries.front()->job.pixels);
  } else {
    for (const EntryPtr& entry : batch->entries) {
      const auto& pixels = entry->job.pixels;
      request.pixels.insert(request.pixels.end(), pixels.begin(), pixels.end());
      deadline = std::min(deadline, entry->deadline);
    }
  }
  request.constraints.remaining = std::max(Duration{1}, deadline - batch->begun);
  try {
    device_->Submit(std::move(request),
                    [self = shared_from_this(), batch](Result<cluster::InferResult> result) {
                      self->Complete(batch, std::move(result));
                    });
  } catch (const std::exception& error) {
    Complete(batch, Internal(error.what()));
  }
}

void Dispatcher::Complete(const std::shared_ptr<Batch>& batch,
                          Result<cluster::InferResult> result) {
  const TimePoint now = Now();
  std::shared_ptr<const cluster::InferResult> shared;
  Status status = result.status();
  if (result.ok() && result->images != batch->images) status = Internal("not the batch's images");
  if (status.ok()) {
    shared = std::make_shared<const cluster::InferResult>(std::move(result).value());
  }
  std::vector<Finished> finished;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(batch->completed, true)) return;
    --running_batches_;
    running_images_ -= batch->images;
    if (status.ok()) rate_.Add(batch->begun, now, batch->images_ahead, batch->images);
    int first = 0;
    for (const EntryPtr& entry : batch->entries) {
      const int images = entry->job.constraints.images;
      const int offset = std::exchange(first, first + images);
      if (entry->state == State::kOver) continue;  // cancelled
      // The shortest deadline of a batch bounded all of it: who has time left runs again, alone.
      const bool again = status.code() == StatusCode::kDeadlineExceeded && !stopped_ &&
                         batch->entries.size() > 1 && entry->deadline > now;
      if (again) {
        entry->alone = true;
        Enqueue(entry, true);
        continue;
      }
      entry->state = State::kOver;
      if (!status.ok()) {
        finished.push_back({entry, status});
      } else if (entry->deadline < now) {
        finished.push_back({entry, DeadlineExceeded("the deadline passed")});
      } else {
        finished.push_back({entry, Answer{shared, offset, images}});
      }
    }
  }
  if (status.ok()) statistics_->AddBatch(batch->images, now - batch->begun);
  Pump();  // first: the device shall not wait for what the doors do with the answers
  Finish(finished);
}

void Dispatcher::Finish(const std::vector<Finished>& finished) {
  if (finished.empty()) return;
  const TimePoint now = Now();
  for (const auto& [entry, result] : finished) {
    const Job& job = entry->job;
    if (result.ok()) {
      statistics_->AddSuccess({.images = result->images,
                               .total = now - job.arrived,
                               .queue = entry->begun - job.arrived,
                               .input = job.parsing,
                               .infer = now - entry->begun},
                              *result->result);
    } else {
      statistics_->AddFailure(result.status().code(), now - job.arrived, entry->accepted);
    }
    job.done(result);
  }
}

void Dispatcher::ArmTimer(TimePoint now) {
  if (timer_armed_ || waiting_.empty()) return;
  timer_armed_ = true;
  const Entry& next = *waiting_.begin()->second.front();
  TimePoint at = std::min(now + kLongestTick, next.deadline);
  if (options_.max_delay > Duration{} && running_batches_ < window_) {
    at = std::min(at, next.job.arrived + options_.max_delay);
  }
  loop_->PostAfter(std::max(Duration{1}, at - now), [weak = weak_from_this()] {
    if (const std::shared_ptr<Dispatcher> self = weak.lock()) self->Pump(true);
  });
}

int Dispatcher::queued_requests() const {
  const std::lock_guard lock(mutex_);
  return waiting_requests_;
}

int64_t Dispatcher::open_images() const {
  const std::lock_guard lock(mutex_);
  return running_images_ + waiting_images_;
}

Duration Dispatcher::ExpectedWait() const {
  const std::lock_guard lock(mutex_);
  return rate_.Expect(running_images_ + waiting_images_, 1);
}

}  // namespace braid::serving
