#include "braid/client/timer.h"

#include <utility>

namespace braid::client {

Timer::Timer() : thread_([this] { Loop(); }) {}

Timer::~Timer() { Stop(); }

void Timer::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  tasks_.clear();
}

void Timer::At(TimePoint when, std::function<void()> task) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    const auto added = tasks_.emplace(when, std::move(task));
    first = added == tasks_.begin();
  }
  if (first) changed_.notify_all();
}

void Timer::Loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (tasks_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const TimePoint due = tasks_.begin()->first;
    if (std::chrono::steady_clock::now() < due) {
      changed_.wait_until(lock, due);
      continue;
    }
    auto node = tasks_.extract(tasks_.begin());
    lock.unlock();
    node.mapped()();
    node = {};  // a task's captures may be the last owner of something: release outside the lock
    lock.lock();
  }
}

}  // namespace braid::client
