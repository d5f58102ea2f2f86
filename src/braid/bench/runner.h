// Runs one operating point of a network again and again, on one thread or several. Layer: bench.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "braid/base/status.h"
#include "braid/model/network.h"
#include "braid/tensor/group_set.h"

namespace braid::bench {

// `batch` random images, divided evenly over `threads` threads that stay alive between runs and
// spin for work (at most batch of them). The network must outlive the runner.
class Runner {
 public:
  static Result<std::unique_ptr<Runner>> Make(const model::Network& network,
                                              const model::OperatingPoint& point, int batch,
                                              int threads);
  virtual ~Runner() = default;
  virtual void Run() = 0;
  // Least microseconds of each layer [layers] over many runs of the first thread's part; 0 where a
  // layer did not run.
  virtual std::vector<double> LayerTimes() = 0;
};

// What the first plan of this process takes: packing weights, and making the plan with its code.
struct FirstPlan {
  double prepare_us = 0, plan_us = 0;
};
Result<FirstPlan> MakeFirstPlan(const model::Network& network, const model::OperatingPoint& point);

// Multiply-adds of one layer of the sub-network of `groups`, for one image; 0 for pools.
int64_t LayerMacs(const model::Network& network, GroupSet groups, model::LayerIndex layer);

}  // namespace braid::bench
