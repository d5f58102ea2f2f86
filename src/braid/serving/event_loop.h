// The thread that the REST and metrics doors and all timers of serving live on. Layer: serving.
// Apart from the loop between devices: what a stranger sends to a door can take time to read, and
// may not make this device look frozen to its peers.
#pragma once

#include <functional>
#include <memory>

#include "braid/base/clock.h"

namespace braid::serving {

class EventLoop {
 public:
  EventLoop();
  // Ends the thread; tasks that have not begun are dropped. What was posted to must outlive it.
  ~EventLoop();

  // Any thread. Runs `task` on the loop, soon or after `delay`.
  void Post(std::function<void()> task);
  void PostAfter(Duration delay, std::function<void()> task);
  bool OnLoop() const;

  // The library's loop, for sources of this module that include event_loop_impl.h.
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  const std::unique_ptr<Impl> impl_;
};

}  // namespace braid::serving
