// Tasks by the name of their data. Layer: training.
#include "braid/training/task.h"

#include "braid/data/restoration/degraded_set.h"
#include "braid/training/classification/classification.h"
#include "braid/training/restoration/restoration.h"

namespace braid::training {

Result<std::unique_ptr<Task>> LoadTask(const std::string& name, int validation,
                                       const MachineOptions& options) {
  if (data::IsDegradedSet(name)) return LoadRestoration(name, validation, options);
  return LoadClassification(name, validation, options);
}

}  // namespace braid::training
