// What eval and enlarge do with models that restore images. Layer: cli.
#pragma once

#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/cli/model_options.h"
#include "braid/data/super_resolution/measurement.h"
#include "braid/runtime/restorer.h"

namespace braid::cli {

// Borrows `restorer`.
data::Restore RestoreWith(runtime::Restorer& restorer);

struct RestorationEvalOptions {
  ModelOptions model;
  std::string set;  // "set5", "set14", "t91"
  std::vector<std::string> points;
  int limit = 0, threads = 0;
  bool json = false;
};
// PSNR of the points at every scale, beside interpolation and what the card says.
Status EvaluateRestoration(const RestorationEvalOptions& options);

}  // namespace braid::cli
