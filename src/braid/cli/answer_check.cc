#include "braid/cli/answer_check.h"

#include <algorithm>
#include <span>
#include <thread>
#include <utility>

#include "braid/cli/evaluation.h"
#include "braid/kernels/path.h"

namespace braid::cli {
namespace {

constexpr int kBatch = 32;  // as braid eval: large enough to keep weights warm

}  // namespace

AnswerCheck::AnswerCheck(const model::Network& network, const data::Dataset& dataset)
    : dataset_(dataset), shares_(network, kernels::BestPath()) {}

Result<const std::vector<int32_t>*> AnswerCheck::LogitsOf(const model::OperatingPoint& point) {
  auto known = logits_.find(point.name);
  if (known == logits_.end()) {
    BRAID_ASSIGN_OR_RETURN(const PointPlan plan, PointPlan::Make(shares_, point, 1, kBatch));
    const int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    const auto classes = static_cast<int>(shares_.network().labels.size());
    BRAID_ASSIGN_OR_RETURN(Evaluation evaluation,
                           Evaluate(plan, dataset_, classes, kBatch, threads));
    known = logits_.emplace(point.name, std::move(evaluation.logits)).first;
  }
  return &known->second;
}

Status AnswerCheck::Prepare() {
  for (const model::OperatingPoint& point : shares_.network().points) {
    BRAID_RETURN_IF_ERROR(LogitsOf(point).status());
  }
  return OkStatus();
}

Result<bool> AnswerCheck::Equals(const StreamAnswer& answer) {
  const model::Network& network = shares_.network();
  const size_t classes = network.labels.size();
  const int index = model::FindPoint(network, answer.reply.operating_point);
  if (index < 0) return false;  // it names a point that does not exist
  BRAID_ASSIGN_OR_RETURN(const std::vector<int32_t>* logits,
                         LogitsOf(network.points[static_cast<size_t>(index)]));
  const std::span<const int32_t> expected =
      std::span(*logits)
          .subspan(static_cast<size_t>(answer.first_image) * classes,
                   static_cast<size_t>(answer.images) * classes);
  if (!std::equal(expected.begin(), expected.end(), answer.reply.logits.begin(),
                  answer.reply.logits.end())) {
    return false;
  }
  for (int i = 0; i < answer.images; ++i) {
    const auto image = expected.subspan(static_cast<size_t>(i) * classes, classes);
    if (answer.reply.classes.at(static_cast<size_t>(i)) != Best(image)) return false;
  }
  return true;
}

int AnswerCheck::Correct(const StreamAnswer& answer) const {
  int correct = 0;
  for (int i = 0; i < answer.images; ++i) {
    const auto image = static_cast<size_t>(answer.first_image + i);
    if (answer.reply.classes.at(static_cast<size_t>(i)) == dataset_.targets[image]) ++correct;
  }
  return correct;
}

}  // namespace braid::cli
