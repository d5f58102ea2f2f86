// Super-resolution: a network that is shown an image enlarged by interpolation answers with what it
// adds to each pixel; one network for x2, x3 and x4, on luma alone. Layer: training. Source: Kim et
// al., "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", 2016.
#pragma once

#include <memory>
#include <string>

#include "braid/training/super_resolution/patches.h"
#include "braid/training/task.h"

namespace braid::training {

Patches::Options PatchOptions(const Recipe& recipe);

// `name` is the training set; Set5 and Set14 are measured on, or the held-out images.
Result<std::unique_ptr<Task>> LoadSuperResolution(const std::string& name, int validation,
                                                  const MachineOptions& options);

}  // namespace braid::training
