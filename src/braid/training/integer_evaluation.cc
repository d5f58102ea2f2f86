// Integer evaluation through the runtime. Layer: training.
#include "braid/training/integer_evaluation.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "braid/model/file.h"
#include "braid/runtime/execution.h"

namespace braid::training {
namespace {

constexpr int kBatch = 50;

Result<std::vector<int32_t>> RunSubNetwork(const runtime::PreparedModel& prepared, int sub,
                                           const data::Dataset& dataset) {
  const model::Network& network = prepared.network();
  const GroupSet groups = network.sub_networks[static_cast<size_t>(sub)].groups;
  runtime::PlanSpec spec;
  spec.groups = groups;
  spec.local = groups;
  spec.max_batch = kBatch;
  BRAID_ASSIGN_OR_RETURN(const std::unique_ptr<runtime::Plan> plan,
                         runtime::Plan::Make(prepared, spec));
  const std::unique_ptr<runtime::Execution> execution = runtime::Execution::Create(*plan);
  const auto head = static_cast<model::LayerIndex>(network.layers.size()) - 1;
  std::vector<int32_t> all;
  for (int first = 0; first < dataset.count; first += kBatch) {
    const int count = std::min(kBatch, dataset.count - first);
    const std::span<const uint8_t> pixels(dataset.Image(first).data(),
                                          dataset.ImageBytes() * static_cast<size_t>(count));
    BRAID_RETURN_IF_ERROR(execution->Start(pixels, count));
    while (execution->Resume() != runtime::Step::kDone) {
    }
    const std::span<const int32_t> sums = execution->Logits();
    std::vector<int32_t> logits(sums.begin(), sums.end());
    runtime::FinishLogits(network, sub, head, logits);
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

Result<std::unique_ptr<runtime::PreparedModel>> PrepareWhole(const model::Network& network) {
  BRAID_RETURN_IF_ERROR(model::Validate(network));
  return runtime::PreparedModel::Prepare(network, GroupSet::First(network.groups),
                                         kernels::BestPath());
}

}  // namespace

Result<std::vector<int32_t>> IntegerLogits(const model::Network& network, int sub,
                                           const data::Dataset& dataset) {
  BRAID_ASSIGN_OR_RETURN(const auto prepared, PrepareWhole(network));
  return RunSubNetwork(*prepared, sub, dataset);
}

Result<std::vector<double>> EvaluateInteger(const model::Network& network,
                                            const data::Dataset& dataset) {
  BRAID_ASSIGN_OR_RETURN(const auto prepared, PrepareWhole(network));
  std::vector<std::vector<int32_t>> logits;
  for (size_t sub = 0; sub < network.sub_networks.size(); ++sub) {
    BRAID_ASSIGN_OR_RETURN(std::vector<int32_t> of_sub,
                           RunSubNetwork(*prepared, static_cast<int>(sub), dataset));
    logits.push_back(std::move(of_sub));
  }
  const size_t classes = network.labels.size();
  std::vector<double> accuracies;
  std::vector<int32_t> sum(classes);
  for (const model::OperatingPoint& point : network.points) {
    int correct = 0;
    for (int i = 0; i < dataset.count; ++i) {
      std::fill(sum.begin(), sum.end(), 0);
      for (const int term : point.terms) {
        const int32_t* row =
            logits[static_cast<size_t>(term)].data() + static_cast<size_t>(i) * classes;
        for (size_t c = 0; c < classes; ++c) sum[c] += row[c];
      }
      const auto best = std::max_element(sum.begin(), sum.end()) - sum.begin();
      correct += best == dataset.targets[static_cast<size_t>(i)];
    }
    accuracies.push_back(static_cast<double>(correct) / std::max(dataset.count, 1));
  }
  return accuracies;
}

}  // namespace braid::training
