// Requests without pause from one device, and what became of each. For tests with faults.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "braid/base/clock.h"
#include "process_group.h"

namespace braid::cluster::testing {

class Stream {
 public:
  // Keeps `in_flight` requests open at the group's requester until Stop.
  Stream(ProcessGroup* group, int in_flight);
  ~Stream();

  // Now is when the fault begins: recovery is measured from here.
  void MarkFault();
  void Stop();

  // ---- after Stop ----
  struct Summary {
    int requests = 0;
    int failed = 0;
    int wrong = 0;
    int combined = 0;  // by more than one device
    int failovers = 0;
    Duration first_answer{};  // after the mark, of a request submitted after it
    Duration worst{};         // that any answer took
    std::string first_failure;
  };
  Summary Judge() const;
  // The longest that a thread of this process had to wait for its turn: failures in a stream that
  // was starved say nothing about the group.
  Duration starved() const { return starved_.load(); }

 private:
  struct Answered {
    uint64_t seed = 0;
    TimePoint asked{};
    TimePoint answered{};
    Result<InferResult> result = Unavailable("open");
  };
  void Ask();
  void Watch();

  ProcessGroup* group_;
  SystemClock clock_;
  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::vector<Answered> answered_;  // guarded by mutex_, as all below
  uint64_t next_seed_ = 1;
  int open_ = 0;
  bool stopped_ = false;
  TimePoint fault_{};
  std::atomic<Duration> starved_{Duration{}};
  std::thread watch_;
};

}  // namespace braid::cluster::testing
