// Tasks by the name of their data. Layer: training.
#include "braid/training/task.h"

#include "braid/data/super_resolution/luma_set.h"
#include "braid/training/classification/classification.h"
#include "braid/training/super_resolution/super_resolution.h"

namespace braid::training {

Result<std::unique_ptr<Task>> LoadTask(const std::string& name, int validation,
                                       const MachineOptions& options) {
  if (data::IsLumaSet(name)) return LoadSuperResolution(name, validation, options);
  return LoadClassification(name, validation, options);
}

}  // namespace braid::training
