// The options by which every sub-command names its data: --data, --split, --limit and so on.
// Layer: cli.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "braid/base/status.h"
#include "braid/cli/report.h"
#include "braid/data/dataset.h"

namespace braid::cli {

struct DataOptions {
  std::string name;
  std::string split = "test";
  int limit = 0;  // images used, from the first; 0: all
  uint64_t seed = 1;
  bool offline = false;
};

// Adds --data (required where `required`), --split, --limit, --data-seed and --offline.
void AddDataOptions(CLI::App& command, DataOptions& options, bool required);

// The folders, and whether a download is allowed, as the options and the environment say.
data::LoadOptions LoadOptionsFor(const DataOptions& options);

// Loads the split and cuts it to the limit (its digest then names the cut data). Logs a warning
// for every file whose digest is not one of the published ones.
Result<data::Dataset> LoadData(const DataOptions& options);

// {"dataset", "split", "images", "data_digest", "data_files": [{"path", "sha256", "known"}]}
void DescribeData(const data::Dataset& dataset, Json& report);

}  // namespace braid::cli
