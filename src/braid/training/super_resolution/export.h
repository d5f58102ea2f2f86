// From a finished training of a super-resolution network to a model file with its card. Layer:
// training.
#pragma once

#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/data/super_resolution/luma_set.h"
#include "braid/training/recipe.h"
#include "braid/training/task.h"

namespace braid::training {

struct RestorerData {
  data::LumaSet train;
  std::vector<data::LumaSet> tests;
};

// Writes the model and returns the JSON of its result: PSNR of each operating point on each test
// set at each scale, interpolated, in floating point and in integers.
Result<std::string> ExportRestorer(Trainer& trainer, const Recipe& recipe, const RestorerData& data,
                                   const FinishOptions& options);

}  // namespace braid::training
