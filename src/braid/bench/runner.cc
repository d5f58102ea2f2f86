#include "braid/bench/runner.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "braid/base/check.h"
#include "braid/base/clock.h"
#include "braid/base/rng.h"
#include "braid/model/cost.h"
#include "braid/runtime/execution.h"

namespace braid::bench {
namespace {

using runtime::Execution;
using runtime::Plan;
using runtime::PreparedModel;

runtime::PlanSpec SpecOf(const model::Network& network, const model::OperatingPoint& point,
                         int batch) {
  const GroupSet groups = network.sub_networks[static_cast<size_t>(point.terms[0])].groups;
  return {.groups = groups, .local = groups, .head = point.head, .max_batch = batch, .exits = false};
}

// One thread's part of the batch.
struct Part {
  std::unique_ptr<Plan> plan;
  std::unique_ptr<Execution> execution;
  std::vector<uint8_t> pixels;
  std::vector<int32_t> logits;
  int images = 0;
};

class ThreadedRunner final : public Runner {
 public:
  ThreadedRunner(const model::Network& network, const model::OperatingPoint& point,
                 std::unique_ptr<PreparedModel> model, std::vector<Part> parts)
      : network_(network), point_(point), model_(std::move(model)), parts_(std::move(parts)) {
    for (size_t i = 1; i < parts_.size(); ++i) {
      threads_.emplace_back([this, i](const std::stop_token& stop) { Serve(i, stop); });
    }
  }
  ~ThreadedRunner() override {
    for (std::jthread& thread : threads_) thread.request_stop();
  }

  void Run() override {
    waiting_.store(static_cast<int>(parts_.size()) - 1, std::memory_order_relaxed);
    turn_.fetch_add(1, std::memory_order_release);
    RunPart(parts_[0]);
    while (waiting_.load(std::memory_order_acquire) != 0) {
    }
  }

  std::vector<double> LayerTimes() override {
    constexpr int kRuns = 300;
    const SystemClock clock;
    std::vector<double> least(network_.layers.size(), 0);
    std::vector<Duration> once(network_.layers.size());
    for (int run = 0; run < kRuns; ++run) {
      std::fill(once.begin(), once.end(), Duration{});
      parts_[0].execution->TimeLayers(&clock, once);
      RunPart(parts_[0]);
      for (size_t i = 0; i < least.size(); ++i) {
        const double us = static_cast<double>(once[i].count()) / 1000;
        if (us > 0 && (least[i] == 0 || us < least[i])) least[i] = us;
      }
    }
    parts_[0].execution->TimeLayers(nullptr, {});
    return least;
  }

 private:
  void RunPart(Part& part) {
    BRAID_CHECK(part.execution->Start(part.pixels, part.images).ok()) << "the batch fits its plan";
    while (part.execution->Resume() != runtime::Step::kDone) {
    }
    const auto logits = part.execution->Logits();
    std::copy(logits.begin(), logits.end(), part.logits.begin());
    runtime::FinishLogits(network_, point_.terms[0], point_.head, part.logits);
  }

  void Serve(size_t index, const std::stop_token& stop) {
    uint64_t done = 0;
    while (!stop.stop_requested()) {
      if (turn_.load(std::memory_order_acquire) == done) continue;
      ++done;
      RunPart(parts_[index]);
      waiting_.fetch_sub(1, std::memory_order_release);
    }
  }

  const model::Network& network_;
  const model::OperatingPoint& point_;
  const std::unique_ptr<PreparedModel> model_;  // outlives the plans
  std::vector<Part> parts_;
  std::atomic<uint64_t> turn_{0};
  std::atomic<int> waiting_{0};
  std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace

Result<std::unique_ptr<Runner>> Runner::Make(const model::Network& network,
                                             const model::OperatingPoint& point, int batch,
                                             int threads) {
  if (batch < 1 || threads < 1) return InvalidArgument("batch and threads: at least 1");
  BRAID_ASSIGN_OR_RETURN(
      auto model, PreparedModel::Prepare(network, GroupSet::First(network.groups),
                                         kernels::BestPath()));
  const int count = std::min(batch, threads);
  std::vector<Part> parts;
  Rng rng(1);
  for (int i = 0; i < count; ++i) {
    Part part;
    part.images = batch * (i + 1) / count - batch * i / count;
    BRAID_ASSIGN_OR_RETURN(part.plan, Plan::Make(*model, SpecOf(network, point, part.images)));
    part.execution = Execution::Create(*part.plan);
    if (part.execution == nullptr) return ResourceExhausted("no memory for an execution");
    part.pixels.resize(static_cast<size_t>(part.images * network.input_h * network.input_w *
                                           network.input_c));
    for (uint8_t& pixel : part.pixels) pixel = static_cast<uint8_t>(rng.Next());
    part.logits.resize(static_cast<size_t>(part.images * part.plan->logits_per_image()));
    parts.push_back(std::move(part));
  }
  return std::unique_ptr<Runner>(
      std::make_unique<ThreadedRunner>(network, point, std::move(model), std::move(parts)));
}

Result<FirstPlan> MakeFirstPlan(const model::Network& network,
                                const model::OperatingPoint& point) {
  const SystemClock clock;
  const auto microseconds = [](Duration d) { return static_cast<double>(d.count()) / 1000; };
  const TimePoint start = clock.Now();
  BRAID_ASSIGN_OR_RETURN(
      const auto model, PreparedModel::Prepare(network, GroupSet::First(network.groups),
                                               kernels::BestPath()));
  const TimePoint prepared = clock.Now();
  BRAID_ASSIGN_OR_RETURN(const auto plan, Plan::Make(*model, SpecOf(network, point, 1)));
  return FirstPlan{microseconds(prepared - start), microseconds(clock.Now() - prepared)};
}

int64_t LayerMacs(const model::Network& network, GroupSet groups, model::LayerIndex index) {
  const model::Layer& layer = network.layers[static_cast<size_t>(index)];
  return model::LayerWeights(network, layer, groups, groups) * layer.out_h * layer.out_w;
}

}  // namespace braid::bench
