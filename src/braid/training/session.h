// What train and export share: data by name, the device by name, the files of a run. Layer:
// training.
#pragma once

#include <string>

#include "braid/base/status.h"
#include "braid/data/dataset.h"
#include "braid/training/export_run.h"
#include "braid/training/recipe.h"
#include "braid/training/torch.h"

namespace braid::training {

// Options that both sub-commands have.
struct MachineOptions {
  std::string device = "cpu";
  int threads = 1;
  int limit = 0;  // images of each split; 0: all
  bool offline = false;
};

struct Splits {
  data::Dataset train, test;
};

// The files of a run in its folder.
struct RunFiles {
  explicit RunFiles(const std::string& folder)
      : checkpoint(folder + "/checkpoint.safetensors"),
        log(folder + "/log.jsonl"),
        result(folder + "/result.json") {}
  std::string checkpoint, log, result;
};

// " --limit N" as the command in the card needs it, or nothing.
std::string LimitOf(const MachineOptions& options);

// The training and test set; with `validation` > 0 the last so many training images take the place
// of the test set, which is not read, and the training set ends before them. `options.limit` then
// shortens each. INVALID_ARGUMENT where nothing would be left to train on.
Result<Splits> LoadSplits(const std::string& name, int validation, const MachineOptions& options);

// The images [first, first + count) of `dataset`, which must be within it; the split's name becomes
// "NAME[first:end]".
data::Dataset TakeImages(const data::Dataset& dataset, int first, int count);

// Sets the number of threads. FAILED_PRECONDITION when the device is not there.
Result<torch::Device> UseMachine(const MachineOptions& options);

// {"model", "file", "digest", "mean_gap", "worst_gap", "operating_points": [...]} of a model that
// was written to `path`.
std::string DescribeExport(const ExportedModel& exported, const std::string& path);

// A table of the operating points for people, on stdout.
void PrintExport(const ExportedModel& exported, const std::string& path);

}  // namespace braid::training
