// Lets work that was queued elsewhere find out that its target is gone. Layer: cluster/device.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace braid::cluster {

// Queued tasks hold the gate by shared_ptr (they may outlive the target) and enter through it;
// Close() waits for a task that is inside and keeps every later one out. Thread-safe.
template <typename T>
class Gate {
 public:
  explicit Gate(T* target) : target_(target) {}

  // Runs `work(target)` unless closed. One at a time; re-entry by the same thread is allowed.
  template <typename Work>
  void Enter(Work&& work) {
    const std::lock_guard lock(mutex_);
    if (target_ != nullptr) std::forward<Work>(work)(*target_);
  }

  // False, and nothing done, while another thread is inside.
  template <typename Work>
  bool TryEnter(Work&& work) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return false;
    if (target_ != nullptr) std::forward<Work>(work)(*target_);
    return true;
  }

  void Close() {
    const std::lock_guard lock(mutex_);
    target_ = nullptr;
  }

 private:
  std::recursive_mutex mutex_;
  T* target_;
};

}  // namespace braid::cluster
