// From a finished training of a restoring network to a model file with its card. Layer:
// training.
#pragma once

#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/data/restoration/degraded_set.h"
#include "braid/training/recipe.h"
#include "braid/training/task.h"

namespace braid::training {

struct RestorerData {
  data::DegradedSet train;
  std::vector<data::DegradedSet> tests;
};

// Writes the model and returns the JSON of its result: PSNR of each operating point on each test
// set at each level, of the degraded images, in floating point and in integers.
Result<std::string> ExportRestorer(Trainer& trainer, const Recipe& recipe, const RestorerData& data,
                                   const FinishOptions& options);

}  // namespace braid::training
