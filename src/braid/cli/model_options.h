// What sub-commands that run a model in this process share: which operating points, which kernels.
// Layer: cli.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/kernels/path.h"
#include "braid/model/network.h"

namespace braid::cli {

// Adds --model (required where `required`) and --kernels.
struct ModelOptions {
  std::string model;
  std::string kernels = "best";
};
void AddModelOptions(CLI::App& command, ModelOptions& options, bool required);

// The path called `name`, or the fastest for "best". FAILED_PRECONDITION when this processor lacks
// it.
Result<kernels::Path> ChoosePath(const std::string& name);

// The points with these names, all where there are none. NOT_FOUND lists what there is.
Result<std::vector<const model::OperatingPoint*>> ChoosePoints(
    const model::Network& network, const std::vector<std::string>& names);

}  // namespace braid::cli
