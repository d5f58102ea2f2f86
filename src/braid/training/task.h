// What a network is trained for: the data, the form of its answer, and how a finished training is
// measured and written. One folder each: classification/, restoration/. Layer: training.
#pragma once

#include <memory>
#include <string>

#include "braid/base/status.h"
#include "braid/model/network.h"
#include "braid/training/family.h"
#include "braid/training/objective.h"
#include "braid/training/recipe.h"
#include "braid/training/session.h"
#include "braid/training/torch.h"

namespace braid::training {

class Trainer;

// How a finished training is reported.
struct FinishOptions {
  std::string path;     // of the model file to write
  std::string command;  // that trains the same again, for the card
  double seconds = 0;   // that the training took; 0: unknown
  bool print = false;   // a table for people on stdout
};

class Task {
 public:
  virtual ~Task() = default;

  // {"train_split", ...}: the data in use, as members of a JSON object.
  virtual std::string DescribeData() const = 0;
  // The network of `recipe`, without weights. INVALID_ARGUMENT when its backbone answers another
  // question or does not fit the data.
  virtual Result<model::Network> Skeleton(const Recipe& recipe) const = 0;
  // `family` and the task must outlive the objective. INVALID_ARGUMENT when the data is too little
  // for a batch.
  virtual Result<std::unique_ptr<Objective>> MakeObjective(const Recipe& recipe,
                                                           const Family& family) const = 0;
  // Measures the network of a training that has ended, and writes it. The JSON of its result.
  virtual Result<std::string> Finish(Trainer& trainer, const Recipe& recipe,
                                     const FinishOptions& options) const = 0;
};

// Loads the data set `name` and what is measured on. As LoadSplits, with `validation` > 0 the last
// so many training images take the place of the test images.
Result<std::unique_ptr<Task>> LoadTask(const std::string& name, int validation,
                                       const MachineOptions& options);

}  // namespace braid::training
