// An operating point over a whole data set: logits, accuracy, time. Layer: cli.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/cli/point_runner.h"
#include "braid/data/dataset.h"

namespace braid::cli {

struct Evaluation {
  std::vector<int32_t> logits;  // [images, classes]
  int correct = 0;
  double seconds = 0;  // wall time of the runs, without preparing
  // SHA-256 of the logits as little-endian s32: equal for every kernel path, batch, device count.
  std::string logits_digest;
};

// Runs `plan` (of `classes` logits, made for batches of `batch`) over `dataset` on `threads`
// threads. The result does not depend on their number.
Result<Evaluation> Evaluate(const PointPlan& plan, const data::Dataset& dataset, int classes,
                            int batch, int threads);

// The class of the largest logit; the first of equals.
int Best(std::span<const int32_t> logits);

}  // namespace braid::cli
