// Runs operating points in this process, on one device or several that exchange maps by copying.
// Layer: cli. Used to evaluate models; devices that talk over links are the cluster's matter.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "braid/base/status.h"
#include "braid/kernels/path.h"
#include "braid/model/network.h"
#include "braid/runtime/execution.h"

namespace braid::cli {

// The weights packed for every share that was asked for. Not thread-safe; what it hands out is.
class PreparedShares {
 public:
  // `network` must be valid and outlive this.
  PreparedShares(const model::Network& network, kernels::Path path)
      : network_(network), path_(path) {}
  const model::Network& network() const { return network_; }
  // Owned here.
  Result<const runtime::PreparedModel*> Get(GroupSet share);

 private:
  const model::Network& network_;
  kernels::Path path_;
  std::map<GroupSet, std::unique_ptr<runtime::PreparedModel>> models_;
};

// The plans of one operating point, each of its terms divided over up to `devices` devices.
// Immutable and thread-safe; must not outlive the shares.
class PointPlan {
 public:
  static Result<PointPlan> Make(PreparedShares& shares, const model::OperatingPoint& point,
                                int devices, int max_batch);

 private:
  friend class PointRun;
  struct Term {
    int sub_network = 0;
    model::LayerIndex head = model::kNoLayer;
    std::vector<std::unique_ptr<runtime::Plan>> devices;
  };
  explicit PointPlan(const model::Network& network) : network_(&network) {}
  const model::Network* network_;
  std::vector<Term> terms_;
};

// One thread's executions of a point. The plan must outlive it.
class PointRun {
 public:
  // RESOURCE_EXHAUSTED when the memory cannot be had.
  static Result<PointRun> Make(const PointPlan& plan);

  // The point's logits of `n` images: `pixels` [n,H,W,C], `logits` [n, classes], overwritten.
  Status Logits(std::span<const uint8_t> pixels, int n, std::span<int32_t> logits);

 private:
  using Devices = std::vector<std::unique_ptr<runtime::Execution>>;
  explicit PointRun(const PointPlan& plan) : plan_(&plan) {}
  const PointPlan* plan_;
  std::vector<Devices> terms_;
  std::vector<int32_t> term_logits_;
};

}  // namespace braid::cli
