#include "braid/cli/evaluation.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "braid/base/digest.h"

namespace braid::cli {
namespace {

std::string DigestOf(std::span<const int32_t> logits) {
  std::vector<uint8_t> bytes;
  bytes.reserve(4 * logits.size());
  for (const int32_t logit : logits) {
    for (int shift = 0; shift < 32; shift += 8) {
      bytes.push_back(static_cast<uint8_t>(static_cast<uint32_t>(logit) >> shift));
    }
  }
  return ToHex(Sha256(bytes));
}

// One thread's share: batches taken from a common counter until there are none.
Status RunBatches(const PointPlan& plan, const data::Dataset& dataset, size_t classes, int batch,
                  std::atomic<int>& next, std::vector<int32_t>& logits) {
  BRAID_ASSIGN_OR_RETURN(PointRun run, PointRun::Make(plan));
  while (true) {
    const int first = next.fetch_add(batch);
    if (first >= dataset.count) return OkStatus();
    const int n = std::min(batch, dataset.count - first);
    const auto begin = static_cast<size_t>(first), count = static_cast<size_t>(n);
    BRAID_RETURN_IF_ERROR(
        run.Logits(std::span(dataset.images)
                       .subspan(begin * dataset.ImageBytes(), count * dataset.ImageBytes()),
                   n, std::span(logits).subspan(begin * classes, count * classes)));
  }
}

}  // namespace

int Best(std::span<const int32_t> logits) {
  return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

Result<Evaluation> Evaluate(const PointPlan& plan, const data::Dataset& dataset, int classes,
                            int batch, int threads) {
  const auto width = static_cast<size_t>(classes);
  Evaluation result;
  result.logits.resize(static_cast<size_t>(dataset.count) * width);
  std::atomic<int> next{0};
  std::vector<Status> statuses(static_cast<size_t>(threads));
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> workers;
    for (Status& status : statuses) {
      workers.emplace_back([&] {
        status = RunBatches(plan, dataset, width, batch, next, result.logits);
        // The others need not finish work that nobody will see.
        if (!status.ok()) next = dataset.count;
      });
    }
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const Status& status : statuses) BRAID_RETURN_IF_ERROR(status);
  for (size_t i = 0; i < dataset.targets.size(); ++i) {
    result.correct +=
        Best(std::span(result.logits).subspan(i * width, width)) == dataset.targets[i];
  }
  result.logits_digest = DigestOf(result.logits);
  return result;
}

}  // namespace braid::cli
