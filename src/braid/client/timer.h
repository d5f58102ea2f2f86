// Tasks at points in time, on one thread. Layer: client.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "braid/base/clock.h"

namespace braid::client {

class Timer {
 public:
  Timer();
  // Waits for a task that is running; those still waiting are dropped.
  ~Timer();

  // Any thread, tasks included. Tasks must not block.
  void At(TimePoint when, std::function<void()> task);
  // Drops what waits, waits for what runs, takes nothing more. Not from a task.
  void Stop();

 private:
  void Loop();

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::multimap<TimePoint, std::function<void()>> tasks_;
  std::thread thread_;
};

}  // namespace braid::client
