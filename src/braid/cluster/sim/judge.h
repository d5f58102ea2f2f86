// Looks at every request of a simulated group: answered exactly once, in time, and bit for bit as
// the operating point that the answer names. Layer: cluster/sim, tests.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "braid/base/clock.h"
#include "braid/cluster/device.h"
#include "braid/cluster/sim/braided_network.h"

namespace braid::cluster::sim {

class Judge {
 public:
  // `network` and `oracle` outlive this.
  Judge(const model::Network& network, Oracle* oracle) : network_(network), oracle_(oracle) {}

  struct Ticket {
    int device = 0;
    std::optional<int> pinned;
    int images = 1;
    std::vector<uint8_t> pixels;
    TimePoint deadline{};
    bool excused = false;  // the requester died or stood still: it may fail, or be late
    bool finished = false;
  };
  uint64_t Open(Ticket ticket);
  void Finish(uint64_t id, const Result<InferResult>& result, TimePoint now);
  // Requests now open at `device` may fail or be late.
  void Excuse(int device);
  // After every step: nobody waits past the deadline.
  void Look(TimePoint now);

  int open() const { return static_cast<int>(by_deadline_.size()); }
  int answered() const { return answered_; }
  int failed() const { return failed_; }  // of requests that may fail
  int failovers() const { return failovers_; }
  int combined() const { return combined_; }  // answers of more than one device
  Duration worst() const { return worst_; }   // of unexcused requests for any point
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  void Complain(uint64_t id, const std::string& what);
  void CheckAnswer(uint64_t id, const Ticket& ticket, const InferResult& answer);

  const model::Network& network_;
  Oracle* oracle_;
  std::map<uint64_t, Ticket> tickets_;
  std::map<std::pair<TimePoint, uint64_t>, uint64_t> by_deadline_;  // open ones
  std::vector<std::string> complaints_;
  int answered_ = 0;
  int failed_ = 0;
  int failovers_ = 0;
  int combined_ = 0;
  Duration worst_{};
};

}  // namespace braid::cluster::sim
