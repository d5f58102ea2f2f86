// What eval, enlarge and restore do with models that restore images. Layer: cli.
#pragma once

#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/cli/model_options.h"
#include "braid/data/restoration/measurement.h"
#include "braid/runtime/restorer.h"

namespace braid::cli {

// Borrows `restorer`.
data::Restore RestoreWith(runtime::Restorer& restorer);

struct RestorationEvalOptions {
  ModelOptions model;
  std::string set;  // data::IsDegradedSet
  std::vector<std::string> points;
  int limit = 0, threads = 0;
  bool json = false;
};
// PSNR of the points at every level, beside the degraded images' and what the card says.
Status EvaluateRestoration(const RestorationEvalOptions& options);

}  // namespace braid::cli
