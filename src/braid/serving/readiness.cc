#include "braid/serving/readiness.h"

#include <string>
#include <utility>

namespace braid::serving {

Readiness::Readiness(SelfTest self_test, Changed changed, const ReadinessOptions& options)
    : self_test_(std::move(self_test)), changed_(std::move(changed)), options_(options) {
  thread_ = std::thread([this] { Loop(); });
}

Readiness::~Readiness() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stop = true;
  }
  shared_->changed.notify_all();
  thread_.join();
}

bool Readiness::ready() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->ready;
}

void Readiness::Drain() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->draining = true;
  }
  Publish(false, Unavailable("draining"));
}

void Readiness::Publish(bool ready, const Status& reason) {
  const std::lock_guard publish(publish_mutex_);
  {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->draining) ready = false;
    if (shared_->ready == ready) return;
    shared_->ready = ready;
  }
  changed_(ready, reason);
}

void Readiness::Loop() {
  const std::shared_ptr<Shared> shared = shared_;
  std::unique_lock lock(shared->mutex);
  while (!shared->stop) {
    shared->running = true;
    lock.unlock();
    self_test_([shared](const Status& status) {
      {
        const std::lock_guard guard(shared->mutex);
        shared->result = status;
        shared->running = false;
      }
      shared->changed.notify_all();
    });
    lock.lock();
    const auto settled = [&] { return shared->stop || !shared->running; };
    if (!shared->changed.wait_for(lock, options_.limit, settled)) {
      lock.unlock();
      Publish(false, DeadlineExceeded("the self-test takes too long"));
      lock.lock();
      shared->changed.wait(lock, settled);  // one test at a time: a second would only queue behind
    }
    if (shared->stop) return;
    const Status result = shared->result;
    lock.unlock();
    Publish(result.ok(), result);
    lock.lock();
    const Duration pause = result.ok() ? options_.interval : options_.retry_interval;
    shared->changed.wait_for(lock, pause, [&] { return shared->stop; });
  }
}

}  // namespace braid::serving
