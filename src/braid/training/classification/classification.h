// Classification: labelled images, cross-entropy, accuracy. Layer: training.
#pragma once

#include <memory>
#include <string>

#include "braid/data/dataset.h"
#include "braid/training/task.h"

namespace braid::training {

Result<std::unique_ptr<Task>> LoadClassification(const std::string& name, int validation,
                                                 const MachineOptions& options);

// The parts of the task that need no test set. `train` must outlive the objective.
Result<model::Network> ClassifierSkeleton(const Recipe& recipe, const data::Dataset& train);
Result<std::unique_ptr<Objective>> MakeClassifierObjective(const Recipe& recipe,
                                                           const Family& family,
                                                           const data::Dataset& train);

}  // namespace braid::training
