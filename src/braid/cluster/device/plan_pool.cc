#include "braid/cluster/device/plan_pool.h"

#include <bit>

#include "braid/model/cost.h"

namespace braid::cluster {
namespace {

// A device meets its own sub-networks in a few splits and batch sizes; a plan is small beside the
// weights, so the limit is there for groups that change all the time.
constexpr size_t kMaxPlans = 128;
// Arenas that wait for work: enough for tens of requests of small networks.
constexpr int64_t kMaxIdleBytes = int64_t{64} << 20;

}  // namespace

Result<PlanPool::Lease> PlanPool::Take(GroupSet groups, GroupSet local, model::LayerIndex head,
                                       int images) {
  // Classes of batch: powers of two, so that 64 sizes need 7 plans.
  const int batch = static_cast<int>(std::bit_ceil(static_cast<unsigned>(images)));
  const Key key{groups, local, head, batch};
  auto it = entries_.find(key);
  if (it == entries_.end()) {
    BRAID_ASSIGN_OR_RETURN(
        auto plan,
        runtime::Plan::Make(model_,
                            {.groups = groups, .local = local, .head = head, .max_batch = batch}));
    auto entry = std::make_shared<Entry>();
    entry->plan = std::move(plan);
    entry->macs = model::LocalCost(model_.network(), groups, local, head).macs;
    Trim();
    it = entries_.emplace(key, std::move(entry)).first;
  }
  Entry& entry = *it->second;
  entry.used = ++clock_;
  Lease lease{it->second, nullptr};
  if (entry.idle.empty()) {
    lease.execution = runtime::Execution::Create(*entry.plan);
  } else {
    lease.execution = std::move(entry.idle.back());
    entry.idle.pop_back();
    idle_bytes_ -= entry.plan->arena_bytes();
  }
  return lease;
}

void PlanPool::Give(Lease lease) {
  const int64_t bytes = lease.entry->plan->arena_bytes();
  const bool known = lease.entry.use_count() > 1;  // the pool still has the entry
  if (!known || idle_bytes_ + bytes > kMaxIdleBytes) return;
  idle_bytes_ += bytes;
  lease.entry->idle.push_back(std::move(lease.execution));
}

void PlanPool::Trim() {
  while (entries_.size() >= kMaxPlans) {
    auto oldest = entries_.begin();
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (it->second->used < oldest->second->used) oldest = it;
    }
    Entry& entry = *oldest->second;
    idle_bytes_ -= static_cast<int64_t>(entry.idle.size()) * entry.plan->arena_bytes();
    entry.idle.clear();
    entries_.erase(oldest);
  }
}

}  // namespace braid::cluster
