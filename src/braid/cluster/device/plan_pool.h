// Plans and executions kept for the next request. Layer: cluster/device. Used inside the compute
// gate only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "braid/base/status.h"
#include "braid/runtime/execution.h"

namespace braid::cluster {

class PlanPool {
 public:
  struct Entry {
    std::unique_ptr<runtime::Plan> plan;
    int64_t macs = 0;  // of the local part, for one image
    std::vector<std::unique_ptr<runtime::Execution>> idle;
    uint64_t used = 0;
  };
  // An execution on loan. The plan is shared with the pool, which may forget it meanwhile; members
  // are in this order because the execution must go first.
  struct Lease {
    std::shared_ptr<Entry> entry;
    std::unique_ptr<runtime::Execution> execution;
    explicit operator bool() const { return execution != nullptr; }
  };

  // `model` outlives this and every lease.
  explicit PlanPool(const runtime::PreparedModel& model) : model_(model) {}

  // An execution for at least `images` images. Makes a plan or an execution only when none waits.
  Result<Lease> Take(GroupSet groups, GroupSet local, model::LayerIndex head, int images);
  // Keeps the execution for the next Take, within the memory limit.
  void Give(Lease lease);

 private:
  using Key = std::tuple<GroupSet, GroupSet, model::LayerIndex, int>;
  void Trim();

  const runtime::PreparedModel& model_;
  std::map<Key, std::shared_ptr<Entry>> entries_;
  uint64_t clock_ = 0;
  int64_t idle_bytes_ = 0;
};

}  // namespace braid::cluster
